"""All patients in one line, for `systemctl status`."""

from __future__ import annotations

from collections.abc import Iterable

from edge.messages import StateMessage

__all__ = ["status_line"]

MOST_NAMED = 8


def status_line(states: Iterable[StateMessage]) -> str:
    """`2 patients: bed-1 72 bpm, bed-2 silent (signal_lost)`; no line feed."""
    known = list(states)
    if not known:
        return "waiting for the first sample"
    named = ", ".join(_one(each) for each in known[:MOST_NAMED])
    more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    return f"{len(known)} patient{'s' if len(known) > 1 else ''}: {named}{more}"


def _one(state: StateMessage) -> str:
    rate = "--" if state.heart_rate_bpm is None else f"{state.heart_rate_bpm:.0f}"
    how = f"{rate} bpm" if state.link == "streaming" else state.link
    alarms = f" ({', '.join(state.active)})" if state.active else ""
    return f"{state.patient} {how}{alarms}"
