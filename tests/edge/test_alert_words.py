"""Steps of an alarm in words."""

import io

import msgspec
import pytest

from edge.alert import AlarmState, Inactivation, Phase, Priority
from edge.alert_words import step_words
from edge.console import RunConsole
from edge.messages import AlertMessage
from edge.output import Output

START = AlertMessage(
    id="a",
    seq=1,
    phase=Phase.START,
    kind="asystole",
    type="physiological",
    priority=Priority.MEDIUM,
    onset="2026-01-31T11:59:56.000Z",
    time="2026-01-31T12:00:00.250Z",
    device_time_ns=None,
    patient="p1",
    device="d",
    bundle="",
    evidence={"no_qrs_s": 4.5},
    codes={},
)


def then(message=START, **changes):
    return msgspec.structs.replace(message, **{"phase": Phase.UPDATE, **changes})


LATCHED = then(state=AlarmState.LATCHED)
SEEN = then(inactivation=Inactivation.ACKNOWLEDGED, acknowledged_by="nurse")
SILENT = then(inactivation=Inactivation.AUDIO_PAUSED)


@pytest.mark.parametrize(
    ("before", "message", "step", "note"),
    [
        (None, START, "start", ""),
        (START, LATCHED, "over", "waits to be acknowledged"),
        (LATCHED, then(), "again", ""),
        (START, SEEN, "seen", "acknowledged by nurse"),
        (START, then(SEEN, acknowledged_by=""), "seen", "acknowledged"),
        (START, SILENT, "silent", "audio is paused"),
        (SILENT, then(), "audible", ""),
        (START, then(priority=Priority.HIGH), "rises", ""),
        (
            *(START, then(priority=Priority.HIGH, evidence={"escalated_from": "medium"})),
            *("rises", "nobody has acknowledged it"),
        ),
        (START, then(reminder=1), "reminder", "no. 1: nobody has acknowledged it"),
        (LATCHED, then(LATCHED, reminder=2), "reminder", "no. 2: waits to be acknowledged"),
        (SEEN, then(SEEN, reminder=3), "reminder", "no. 3: still on, acknowledged by nurse"),
        (None, LATCHED, "on", "waits to be acknowledged"),
        (SEEN, then(SEEN, phase=Phase.END), "end", "acknowledged by nurse"),
        (START, then(phase=Phase.END), "end", ""),
    ],
)
def test_a_step_in_words(before, message, step, note):
    words = step_words(message, before)
    assert (words.step, words.note) == (step, note)


def test_new_numbers_alone_are_no_news():
    assert step_words(then(evidence={"no_qrs_s": 9.0}), START) is None
    assert step_words(then(priority=Priority.LOW), START) is None


def test_the_console_says_every_step_but_new_numbers():
    stream = io.StringIO()
    console = RunConsole(Output(stream), live=False)
    numbers = then(evidence={"no_qrs_s": 9.0})
    ended = then(phase=Phase.END, state=AlarmState.INACTIVE)
    for message in (START, numbers, SEEN, then(SEEN, seq=9), ended, START):
        console.alert(message)
    steps = [line.split()[2] for line in stream.getvalue().splitlines()]
    assert steps == ["start", "seen", "end", "start"]
