"""Alarm conditions and the steps in their life, in words for people."""

from __future__ import annotations

from dataclasses import dataclass

from edge.alert import AlarmKind, AlarmState, Inactivation, Phase, Priority
from edge.messages import AlertMessage

__all__ = ["KIND_WORDS", "PRIORITY_STYLE", "StepWords", "step_words"]

KIND_WORDS: dict[str, str] = {
    AlarmKind.ASYSTOLE: "asystole",
    AlarmKind.VF: "ventricular fibrillation or flutter",
    AlarmKind.VT: "ventricular tachycardia",
    AlarmKind.EXTREME_BRADY: "extreme bradycardia",
    AlarmKind.EXTREME_TACHY: "extreme tachycardia",
    AlarmKind.PAUSE: "pause",
    AlarmKind.AF: "atrial fibrillation",
    AlarmKind.BRADY: "bradycardia",
    AlarmKind.TACHY: "tachycardia",
    AlarmKind.PVC_RUN: "run of PVCs",
    AlarmKind.LEAD_OFF: "lead off",
    AlarmKind.SIGNAL_LOST: "signal lost",
    AlarmKind.POOR_SIGNAL: "poor signal",
    AlarmKind.STORAGE_FAULT: "alerts may not be stored",
    AlarmKind.ANALYSIS_LIMITED: "arrhythmia analysis limited",
}

# Colours of IEC 60601-1-8:2006 table 2 for high and medium; low may be cyan.
PRIORITY_STYLE = {
    Priority.HIGH: "bold white on red",
    Priority.MEDIUM: "black on yellow",
    Priority.LOW: "black on cyan",
}


@dataclass(frozen=True, slots=True)
class StepWords:
    """step: one word for what happened. note: what to know of it, empty where the word says all."""

    step: str
    note: str = ""


def step_words(message: AlertMessage, before: AlertMessage | None) -> StepWords | None:
    """What a step tells that people should hear; None where only numbers have changed.

    before: the alarm's last message, None where it is not known.
    """
    if message.phase is not Phase.UPDATE:
        return StepWords(message.phase.value, _by(message))
    if before is None:
        return StepWords("on", _standing(message))
    if message.state is not before.state:
        latched = message.state is AlarmState.LATCHED
        return StepWords("over", _standing(message)) if latched else StepWords("again")
    if message.inactivation is not before.inactivation:
        return _inactivated(message)
    if message.priority.rank < before.priority.rank:
        unheard = "escalated_from" in message.evidence
        return StepWords("rises", "nobody has acknowledged it" if unheard else "")
    if message.reminder > before.reminder:
        return StepWords("reminder", f"no. {message.reminder}: {_standing(message)}")
    return None


def _inactivated(message: AlertMessage) -> StepWords:
    match message.inactivation:
        case Inactivation.ACKNOWLEDGED:
            return StepWords("seen", _by(message))
        case Inactivation.AUDIO_PAUSED:
            return StepWords("silent", "audio is paused")
        case Inactivation.ENABLED:
            return StepWords("audible")


def _standing(message: AlertMessage) -> str:
    if message.inactivation is Inactivation.ACKNOWLEDGED:
        return f"still on, {_by(message)}"
    if message.state is AlarmState.LATCHED:
        return "waits to be acknowledged"
    return "nobody has acknowledged it"


def _by(message: AlertMessage) -> str:
    if message.inactivation is not Inactivation.ACKNOWLEDGED:
        return ""
    return " by ".join(["acknowledged", *filter(None, [message.acknowledged_by])])
