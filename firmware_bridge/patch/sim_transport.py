"""The virtual patch as a transport, and its configuration out of the options of a `sim:` URI."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from firmware_bridge.errors import SourceUriError
from firmware_bridge.pacing import PacedTransport, parse_speed
from firmware_bridge.patch.faults import Faults
from firmware_bridge.patch.virtual_patch import PatchConfig, VirtualPatch

__all__ = ["SimTransport", "parse_config"]

_ALIASES = {"fs": "rate_hz"}
_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class SimTransport(PacedTransport):
    """Streams a virtual patch. speed: multiple of real time; None is as fast as possible."""

    def __init__(self, config: PatchConfig, speed: float | None = 1.0) -> None:
        self.patch = VirtualPatch(config)
        name = f"virtual patch ({config.scenario}, seed {config.seed})"
        super().__init__(name, self.patch.frames(), speed)

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> SimTransport:
        """The transport of the options of a `sim:` URI. Raises SourceUriError."""
        rest = dict(options)
        speed = parse_speed(rest.pop("speed", "1"))
        return cls(parse_config(rest), speed)


def parse_config(options: Mapping[str, str]) -> PatchConfig:
    """A configuration out of text: fields of `PatchConfig` and `Faults`; `fs` is rate_hz.

    Raises SourceUriError where an option is unknown, unreadable or out of range.
    """
    patch: dict[str, Any] = {}
    faults: dict[str, Any] = {}
    for key, text in options.items():
        name = _ALIASES.get(key, key)
        if name in _FAULT_PARSERS:
            faults[name] = _parse(key, text, _FAULT_PARSERS[name])
        elif name in _PATCH_PARSERS:
            patch[name] = _parse(key, text, _PATCH_PARSERS[name])
        else:
            known = ", ".join(sorted([*_PATCH_PARSERS, *_FAULT_PARSERS, *_ALIASES, "speed"]))
            raise SourceUriError(f"sim: knows no option {key}; it knows {known}")
    try:
        return PatchConfig(**patch, faults=Faults(**faults))
    except ValueError as error:
        raise SourceUriError(f"sim: {error}") from None


def _parse(key: str, text: str, parser: Callable[[str], object]) -> object:
    try:
        return parser(text)
    except (ValueError, KeyError):
        raise SourceUriError(f"sim: {key}={text} cannot be read as a value of {key}") from None


def _boolean(text: str) -> bool:
    return _BOOLEANS[text.lower()]


_BY_TYPE: dict[str, Callable[[str], object]] = {
    "str": str,
    "int": int,
    "float": float,
    "float | None": float,
    "bool": _boolean,
}
_PATCH_PARSERS = {f.name: _BY_TYPE[str(f.type)] for f in fields(PatchConfig) if f.name != "faults"}
_FAULT_PARSERS = {field.name: _BY_TYPE[str(field.type)] for field in fields(Faults)}
