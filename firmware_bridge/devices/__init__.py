"""The devices that the bridge can read: names and the decoders behind them.

A decoder is imported when it is first asked for. Other packages add theirs as entry points of
the group `edge.devices`: name = "module:Class".
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import Decoder

__all__ = ["ENTRY_POINT_GROUP", "decoder_names", "make_decoder"]

ENTRY_POINT_GROUP = "edge.devices"

_DECODERS: dict[str, tuple[str, str]] = {
    "native": ("firmware_bridge.native", "NativeDecoder"),
    "polar_h10": ("firmware_bridge.devices.polar_h10", "PolarH10Decoder"),
}


def decoder_names() -> tuple[str, ...]:
    """Names that `make_decoder` knows, sorted; those of other packages included."""
    return tuple(sorted({*_DECODERS, *_third_party()}))


def make_decoder(name: str, **options: object) -> Decoder:
    """A new decoder for the device of that name.

    options: keyword arguments of the decoder; None stands for its default.
    Raises SourceUriError for an unknown name, option or value, naming what would be right.
    """
    factory = _factory(name)
    given = {key: value for key, value in options.items() if value is not None}
    known = inspect.signature(factory).parameters
    unknown = sorted(set(given) - set(known))
    if unknown:
        choice = ", ".join(known) or "none"
        raise SourceUriError(f"device {name}: no option {unknown[0]}; it has: {choice}")
    try:
        return factory(**given)
    except ValueError as error:
        raise SourceUriError(f"device {name}: {error}") from error


def _factory(name: str) -> Callable[..., Decoder]:
    if name in _DECODERS:
        module, attribute = _DECODERS[name]
        return cast(Callable[..., Decoder], getattr(import_module(module), attribute))
    third_party = _third_party()
    if name not in third_party:
        names = ", ".join(decoder_names())
        raise SourceUriError(f"no device is called {name!r}; known are: {names}")
    return _load(third_party[name])


def _load(entry: EntryPoint) -> Callable[..., Decoder]:
    try:
        loaded: Any = entry.load()
    except Exception as error:  # whatever a foreign module raises on import
        raise SourceUriError(
            f"device {entry.name}: {entry.value} does not load: {error}"
        ) from error
    return cast(Callable[..., Decoder], loaded)


def _third_party() -> dict[str, EntryPoint]:
    """By name; the names of this package cannot be taken over."""
    found = entry_points(group=ENTRY_POINT_GROUP)
    return {entry.name: entry for entry in found if entry.name not in _DECODERS}
