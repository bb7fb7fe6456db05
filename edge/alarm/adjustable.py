"""Limits that may be moved while the monitor runs: which, and how far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

import msgspec

from edge.alarm.limits import AlarmLimits

__all__ = ["Bounds", "adjusted", "check_bounds"]

SHOWN_MAX = 1e9
"""Larger numbers are shown as this."""

Bounds = Mapping[str, tuple[float, float]]
"""A limit's name in `AlarmLimits` to the lowest and the highest value that people may set."""

_HINTS: dict[str, Any] = {
    name: hint
    for name, hint in get_type_hints(AlarmLimits, include_extras=True).items()
    if type(getattr(AlarmLimits(), name)) in (int, float)
}


def check_bounds(bounds: Bounds) -> None:
    """Raises ValueError for a name that is no number of `AlarmLimits`, for bounds out of order,
    and for one outside the range of its limit."""
    for name, (low, high) in bounds.items():
        if name not in _HINTS:
            raise ValueError(f"{name!r} is no limit that is a number; known: {', '.join(_HINTS)}")
        if low > high:
            raise ValueError(f"{name}: the lower bound {low:g} is above the upper bound {high:g}")
        for value in (low, high):
            _in_range(name, value)


def adjusted(limits: AlarmLimits, bounds: Bounds, wanted: Mapping[str, float]) -> AlarmLimits:
    """The limits with those that are wanted. Raises ValueError, with the reason, where one may not
    be moved or not so far, or where the limits would contradict each other."""
    changes: dict[str, float] = {}
    for name, value in wanted.items():
        if name not in bounds:
            open_to = ", ".join(sorted(bounds)) or "none"
            raise ValueError(f"{name[:32]!r} may not be changed; those that may: {open_to}")
        low, high = bounds[name]
        if not low <= value <= high:  # so for NaN
            asked = min(max(value, -SHOWN_MAX), SHOWN_MAX)
            raise ValueError(f"{name} of {asked:g} is outside {low:g} to {high:g}")
        changes[name] = _in_range(name, value)
    return msgspec.structs.replace(limits, **changes).checked()


def _in_range(name: str, value: float) -> float:
    """The value in the limit's own type. Raises ValueError where it does not fit it."""
    whole = isinstance(getattr(AlarmLimits(), name), int) and float(value).is_integer()
    try:
        fitting: float = msgspec.convert(int(value) if whole else value, _HINTS[name])
    except msgspec.ValidationError as error:
        raise ValueError(f"{name} of {value:g}: {str(error)[0].lower()}{str(error)[1:]}") from None
    return fitting
