"""Arrhythmia analysis limited: told after a while, never while there is nothing to analyse."""

from __future__ import annotations

import pytest

from edge.alarm import AlarmLimits, AlarmMachine
from edge.alarm.patient import AlarmSetup, PatientAlarms
from edge.alert import AlarmKind, AlarmType, Alert, Phase, Priority
from edge.events import AnalysisLimited, LeadQuality, Observation
from tests.edge.alarm.alarm_streams import S, beats_at, merged, quality, run, silences, steady_s
from tests.edge.alarm.attended import QUIET, attended, fed

K = AlarmKind.ANALYSIS_LIMITED
BEHIND = "the engine is behind"
OFF = LeadQuality(0.0, lead_off=True)


def limited(stream: list[Observation], limits: AlarmLimits | None = None) -> list[Alert]:
    """What becomes of this condition."""
    return [each for each in run(stream, limits or AlarmLimits()) if each.kind == K]


def told_s(alerts: list[Alert]) -> list[tuple[str, float]]:
    return [(each.phase.value, each.time_ns / S) for each in alerts]


def test_it_begins_ten_seconds_later_and_ends_when_the_encoder_is_back() -> None:
    stream = [
        *quality(0, 5),
        AnalysisLimited(5 * S, BEHIND),
        *quality(5, 40),
        AnalysisLimited(40 * S),
        *quality(40, 60),
    ]
    began, ended = limited(stream)
    assert told_s([began, ended]) == [("start", 15.0), ("end", 46.0)]
    assert (began.type, began.priority) == (AlarmType.TECHNICAL, Priority.LOW)
    assert (began.onset_ns, began.evidence) == (5 * S, {"reason": BEHIND})
    assert (ended.id, ended.evidence) == (began.id, {"reason": "resolved"})


def test_a_few_seconds_without_an_encoder_are_no_alarm() -> None:
    stream: list[Observation] = []
    for start in range(0, 60, 12):
        away = [AnalysisLimited(start * S, BEHIND), *quality(start, start + 9)]
        stream += [*away, AnalysisLimited((start + 9) * S), *quality(start + 9, start + 12)]
    assert limited(stream) == []


def test_one_that_is_soon_gone_again_does_not_end_it() -> None:
    stream = [AnalysisLimited(0, BEHIND), *quality(0, 20), AnalysisLimited(20 * S)]
    stream += [*quality(20, 24), AnalysisLimited(24 * S, "failed"), *quality(24, 60)]
    alerts = limited(stream)
    assert [each.phase for each in alerts] == [Phase.START, Phase.UPDATE]
    assert alerts[-1].evidence == {"reason": "failed"}


@pytest.mark.parametrize(
    "nothing", [quality(0, 30, OFF), quality(0, 30, missing=1.0), silences(0, 30)]
)
def test_it_does_not_begin_while_there_is_nothing_to_analyse(nothing: list[Observation]) -> None:
    assert limited([AnalysisLimited(0, BEHIND), *nothing]) == []


@pytest.mark.parametrize("nothing", [quality(20, 60, OFF), silences(20, 60)])
def test_it_does_not_end_while_there_is_nothing_to_analyse(nothing: list[Observation]) -> None:
    stream = [AnalysisLimited(0, BEHIND), *quality(0, 20), AnalysisLimited(20 * S), *nothing]
    assert Phase.END not in {each.phase for each in limited(stream)}


def test_it_holds_no_alarm_back_and_none_holds_it_back() -> None:
    stream = merged(quality(0, 40), beats_at(steady_s(0.1, 10, 60)))
    alerts = run([AnalysisLimited(0, BEHIND), *stream], AlarmLimits())
    assert [each.kind for each in alerts] == [K, AlarmKind.ASYSTOLE]


def test_nobody_can_switch_it_off() -> None:
    with pytest.raises(ValueError, match="analysis_limited cannot be disabled"):
        AlarmLimits(disabled=(K,))


def test_a_clinician_can_ask_for_more_urgency() -> None:
    stream = [AnalysisLimited(0, BEHIND), *quality(0, 20)]
    (began,) = limited(stream, AlarmLimits(priorities={K: Priority.MEDIUM}))
    assert began.priority is Priority.MEDIUM


def beating(stop_s: int) -> list[Observation]:
    return merged(quality(0, stop_s), beats_at(steady_s(0.1, stop_s, 60)))


def restarted(after: list[Observation]) -> tuple[Alert, list[Alert]]:
    """The alarm as it was before a restart of 30 s, and what becomes of it."""
    before = attended()
    (began,) = fed(before, [AnalysisLimited(0, BEHIND), *beating(20)])
    taken_ns = 1_790_000_000 * S
    kept = before.snapshot(taken_ns)
    assert kept is not None
    again = PatientAlarms.restore(kept, AlarmSetup(attendance=QUIET))
    told = [*again.resume(taken_ns + 30 * S), *fed(again, after)]
    return began, [each for each in told if each.kind == K]


def test_after_a_restart_it_lasts_until_a_stream_with_an_encoder_is_there() -> None:
    began, (on, ended) = restarted([*silences(0, 20), *beating(20)])
    assert (on.id, on.phase) == (began.id, Phase.UPDATE)
    assert on.evidence["interrupted_s"] == 30.0
    assert (ended.id, ended.phase) == (began.id, Phase.END)
    assert 6 * S <= ended.time_ns <= 9 * S


def test_after_a_restart_without_encoder_it_goes_on_under_its_id() -> None:
    began, told = restarted([AnalysisLimited(0, "cannot be opened"), *beating(60)])
    assert {each.id for each in told} == {began.id}
    assert {each.phase for each in told} == {Phase.UPDATE}
    assert told[-1].evidence["reason"] == "cannot be opened"


def test_a_machine_that_begins_knows_of_no_limitation() -> None:
    machine = AlarmMachine(AlarmLimits(), "s")
    assert [alert for each in beating(60) for alert in machine.observe(each)] == []
