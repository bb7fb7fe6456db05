"""What a person asks of the alarms, done, and said in words."""

from __future__ import annotations

from edge.actions import AUDIO_PAUSE_MAX_S, Acknowledge, Action, Outcome, PauseAudio, SetLimits
from edge.alarm.attendance import Attendance
from edge.alert import Alert, Phase

__all__ = ["BY_LENGTH", "Answer", "answer"]

BY_LENGTH = 64
"""Characters of a name that are kept."""

Answer = tuple[Outcome, tuple[Alert, ...]]
"""What came of an action, and the alerts that it brings."""


def answer(attendance: Attendance, action: Action) -> Answer:
    """Do what is asked, where it is possible."""
    match action:
        case Acknowledge():
            return _acknowledge(attendance, action)
        case PauseAudio():
            return _pause_audio(attendance, action.for_s)
        case SetLimits():
            return _set_limits(attendance, action)
        case _:
            return Outcome(False, f"{type(action).__name__} is no matter of the alarms"), ()


def _acknowledge(attendance: Attendance, action: Acknowledge) -> Answer:
    told = attendance.acknowledge(action.alert_id, _name(action.by))
    if told:
        words = ", ".join(_acknowledged(alert) for alert in told)
        return Outcome(True, f"acknowledged: {words}"), told
    on = [alert for alert in attendance.active if action.alert_id in ("", alert.id)]
    if on:
        return Outcome(True, f"acknowledged before: {', '.join(a.kind for a in on)}"), ()
    which = f"alarm {action.alert_id[:BY_LENGTH]!r}" if action.alert_id else "alarm"
    return Outcome(False, f"no {which} is on"), ()


def _acknowledged(alert: Alert) -> str:
    over = " (it was over, and ends)" if alert.phase is Phase.END else ""
    return f"{alert.kind}{over}"


def _pause_audio(attendance: Attendance, for_s: float) -> Answer:
    if not 0 <= for_s <= AUDIO_PAUSE_MAX_S:  # so for NaN
        text = f"an audio pause lasts 0 to {AUDIO_PAUSE_MAX_S:g} s, not {str(for_s)[:24]}"
        return Outcome(False, text), ()
    was_paused = attendance.audio_paused
    told = attendance.pause_audio(for_s)
    if for_s == 0:
        return Outcome(True, "audio pause ended" if was_paused else "audio was not paused"), told
    return Outcome(True, f"audio paused for {attendance.pause_left_s:g} s"), told


def _set_limits(attendance: Attendance, action: SetLimits) -> Answer:
    before = attendance.limits
    try:
        attendance.set_limits(action.limits)
    except ValueError as error:
        return Outcome(False, f"limits not changed: {error}"), ()
    after = attendance.limits
    words = [
        f"{name} is {getattr(after, name):g}, was {getattr(before, name):g}"
        for name in action.limits
    ]
    return Outcome(bool(words), ", ".join(words) or "no limit was named"), ()


def _name(by: str) -> str:
    """A name that is fit for logs and messages."""
    return "".join(each for each in by if each.isprintable())[:BY_LENGTH]
