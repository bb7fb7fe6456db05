"""How a patient's alarms wait for people: what latches, reminds and escalates."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edge.alert import AlarmKind, Priority

__all__ = ["INTERVAL_MIN_S", "AttendanceSettings"]

INTERVAL_MIN_S = 10.0
"""The shortest interval that may be set: what is said more often is no reminder but a flood."""

Interval = Annotated[float, msgspec.Meta(ge=0.0, le=86_400.0)]
"""Seconds; 0 for never."""

_REMINDER_S = {Priority.HIGH: 120.0, Priority.MEDIUM: 600.0, Priority.LOW: 0.0}
_ACKNOWLEDGED_S = {Priority.HIGH: 600.0, Priority.MEDIUM: 3600.0, Priority.LOW: 0.0}


class AttendanceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What becomes of an alarm while nobody, or somebody, has acknowledged it.

    latching: kinds whose alarm stays, though the condition is gone, until it is acknowledged.
    reminder_s: priority to the seconds after which an alarm that nobody has acknowledged is
        repeated, again and again; 0 for never. By default 120 for high, 600 for medium, 0 for low.
    acknowledged_reminder_s: the same for an alarm that is acknowledged and still on; by default
        600, 3600 and 0.
    escalate_s: priority, medium or low, to the seconds after which an alarm that nobody has
        acknowledged rises by one step; 0, the default, for never.

    Raises ValueError for an interval below `INTERVAL_MIN_S` that is not 0, and for `high` in
    `escalate_s`.
    """

    latching: tuple[AlarmKind, ...] = (AlarmKind.ASYSTOLE, AlarmKind.VF, AlarmKind.VT)
    reminder_s: dict[Priority, Interval] = {}
    acknowledged_reminder_s: dict[Priority, Interval] = {}
    escalate_s: dict[Priority, Interval] = {}

    def __post_init__(self) -> None:
        """Refuse what would flood, and what cannot be."""
        for name in ("reminder_s", "acknowledged_reminder_s", "escalate_s"):
            for priority, interval_s in getattr(self, name).items():
                if 0 < interval_s < INTERVAL_MIN_S:
                    raise ValueError(
                        f"{name} of {priority} must be 0 for never, or at least "
                        f"{INTERVAL_MIN_S:g}, not {interval_s:g}"
                    )
        if Priority.HIGH in self.escalate_s:
            raise ValueError("escalate_s takes medium and low; a high alarm cannot rise")

    def remind_after_s(self, priority: Priority, acknowledged: bool) -> float:
        """Seconds from one telling to the next; 0 for never."""
        if acknowledged:
            return self.acknowledged_reminder_s.get(priority, _ACKNOWLEDGED_S[priority])
        return self.reminder_s.get(priority, _REMINDER_S[priority])

    def escalate_after_s(self, priority: Priority) -> float:
        """Seconds without acknowledgement after which an alarm rises; 0 for never."""
        return self.escalate_s.get(priority, 0.0)
