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
    "ad8232": ("firmware_bridge.devices.ad8232", "Ad8232Decoder"),
    "ads1292r": ("firmware_bridge.devices.protocentral_boards", "Ads1292rDecoder"),
    "ads1293": ("firmware_bridge.devices.protocentral_boards", "Ads1293Decoder"),
    "bioharness": ("firmware_bridge.devices.bioharness", "BioHarnessDecoder"),
    "bitalino": ("firmware_bridge.devices.bitalino", "BitalinoDecoder"),
    "chords": ("firmware_bridge.devices.chords", "ChordsDecoder"),
    "cyton": ("firmware_bridge.devices.cyton", "CytonDecoder"),
    "ganglion": ("firmware_bridge.devices.ganglion", "GanglionDecoder"),
    "healthypi5": ("firmware_bridge.devices.protocentral_boards", "HealthyPi5Decoder"),
    "healthypi_ble": ("firmware_bridge.devices.healthypi_ble", "HealthyPiBleDecoder"),
    "healthypi_v4": ("firmware_bridge.devices.protocentral_boards", "HealthyPiV4Decoder"),
    "heart_rate": ("firmware_bridge.devices.heart_rate", "HeartRateDecoder"),
    "max30001": ("firmware_bridge.devices.protocentral_boards", "Max30001Decoder"),
    "max30003": ("firmware_bridge.devices.protocentral_boards", "Max30003Decoder"),
    "movesense": ("firmware_bridge.devices.movesense", "MovesenseDecoder"),
    "movesense_primbs": ("firmware_bridge.devices.movesense_primbs", "MovesensePrimbsDecoder"),
    "native": ("firmware_bridge.native", "NativeDecoder"),
    "npg_lite": ("firmware_bridge.devices.npg_lite", "NpgLiteDecoder"),
    "pc80b": ("firmware_bridge.devices.pc80b", "Pc80bDecoder"),
    "polar_h10": ("firmware_bridge.devices.polar_h10", "PolarH10Decoder"),
    "polar_oh1": ("firmware_bridge.devices.polar_optical", "PolarOh1Decoder"),
    "polar_verity": ("firmware_bridge.devices.polar_optical", "PolarVerityDecoder"),
    "shimmer3": ("firmware_bridge.devices.shimmer3", "Shimmer3Decoder"),
    "viatom_er1": ("firmware_bridge.devices.viatom", "ViatomDecoder"),
    "viatom_er3": ("firmware_bridge.devices.viatom_er3", "ViatomEr3Decoder"),
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
