"""Who asked what of which patient's monitor, and what came of it: one line of the log each."""

from __future__ import annotations

import logging

from edge.actions import Acknowledge, Action, AskStrip, Outcome, PauseAudio, SetLimits

__all__ = ["record"]

BY_LENGTH = 64
_VERBS = {
    Acknowledge: "acknowledge",
    PauseAudio: "pause_audio",
    SetLimits: "set_limits",
    AskStrip: "ask_strip",
}

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)  # who asked what is on record, however quiet the rest is


def record(action: Action, outcome: Outcome) -> None:
    """Write the line, which of limits holds each with what it was. Not for the engine's thread:
    whoever reads the log may be slow."""
    done = "" if outcome.done else "not done: "
    _log.info(
        "%s for %s by %r: %s%s",
        *(_VERBS[type(action)], action.patient, action.by[:BY_LENGTH], done, outcome.text),
    )
