"""Technical alarms, and what a bad signal holds back."""

from __future__ import annotations

import pytest

from edge.alarm import AlarmLimits
from edge.alarm.precedence import EXPLAINS, ORDER, TECHNICAL
from edge.alert import AlarmKind as K
from edge.alert import AlarmType, Phase, Priority
from edge.events import LeadQuality, Quality, Silence
from tests.edge.alarm.alarm_streams import (
    GOOD,
    NOISY,
    OFF,
    S,
    beats_at,
    first,
    merged,
    quality,
    rhythm,
    run,
    silences,
    starts,
    steady_s,
)

SATURATED = LeadQuality(0.0, saturated=True)


@pytest.mark.parametrize(
    ("lead", "seconds", "expected"),
    [
        (OFF, 2, []),
        (OFF, 3, [K.LEAD_OFF]),
        (NOISY, 9, []),
        (NOISY, 10, [K.POOR_SIGNAL]),
        (SATURATED, 10, [K.POOR_SIGNAL]),
        (LeadQuality(0.29), 10, [K.POOR_SIGNAL]),
        (LeadQuality(0.31), 10, []),
    ],
)
def test_bad_leads_alarm_at_their_limit(lead: LeadQuality, seconds: int, expected: list[K]) -> None:
    stop = 20 + seconds
    stream = merged(quality(0, 20), quality(20, stop, lead), beats_at(steady_s(0.1, stop, 75)))
    alerts = run(stream)
    assert starts(alerts) == expected
    for alert in alerts:
        assert alert.type is AlarmType.TECHNICAL
        assert (alert.onset_ns, alert.time_ns) == (20 * S, stop * S)


@pytest.mark.parametrize(("silent_s", "expected"), [(3.9, []), (4.0, [K.SIGNAL_LOST])])
def test_silence_at_its_limit(silent_s: float, expected: list[K]) -> None:
    silent_ns = round(silent_s * S)
    alerts = run([*quality(0, 3), Silence(3 * S + silent_ns, silent_ns, "unplugged")])
    assert starts(alerts) == expected
    assert all(alert.onset_ns == 3 * S for alert in alerts)


def test_link_that_delivers_gaps_only_is_lost() -> None:
    seconds = [*quality(0, 10), *quality(10, 16, missing=1.0)]
    assert starts(run(seconds))[-1:] == [K.SIGNAL_LOST]


def test_one_of_two_leads_off_is_low_and_rises_when_both_are() -> None:
    seconds = [
        *quality(0, 5, GOOD, GOOD),
        *quality(5, 15, GOOD, OFF),
        *quality(15, 20, OFF, OFF),
        *quality(20, 22, GOOD, OFF),
        *quality(22, 40, GOOD, GOOD),
    ]
    alerts = run(merged(seconds, beats_at([*steady_s(0.1, 15, 75), *steady_s(20.1, 40, 75)])))
    lead_off = [alert for alert in alerts if alert.kind is K.LEAD_OFF]
    assert [(a.phase, a.priority) for a in lead_off] == [
        (Phase.START, Priority.LOW),
        (Phase.UPDATE, Priority.MEDIUM),
        (Phase.END, Priority.MEDIUM),
    ]
    assert starts(alerts) == [K.LEAD_OFF]


def test_lead_off_stands_for_the_asystole_it_looks_like() -> None:
    stream = merged(quality(0, 20), quality(20, 60, OFF), beats_at(steady_s(0.1, 20, 75)))
    assert starts(run(stream)) == [K.LEAD_OFF]


def test_silence_stands_for_everything() -> None:
    stream = merged(
        quality(0, 20), beats_at(steady_s(0.1, 20, 75)), silences(20, 80), rhythm(0, 20, vf=0.0)
    )
    alerts = run(stream)
    assert starts(alerts) == [K.SIGNAL_LOST]
    assert alerts[0].time_ns == 24 * S


def test_recovery_after_silence_ends_the_alarm_and_is_blind_first() -> None:
    """Stream time goes on; the missing seconds arrive as gaps when the link is back."""
    seconds = [*quality(0, 20), *quality(20, 40, missing=1.0), *quality(40, 60)]
    fast = beats_at([*steady_s(0.1, 20, 75), *steady_s(40.1, 60, 160)])
    stream = [
        *merged(seconds[:20], fast[:25]),
        *silences(20, 40),
        *seconds[20:40],
        *merged(seconds[40:], fast[25:]),
    ]
    alerts = run(stream)
    assert starts(alerts) == [K.SIGNAL_LOST, K.EXTREME_TACHY]
    assert 46 * S <= first(alerts, K.SIGNAL_LOST, Phase.END).time_ns <= 48 * S
    assert first(alerts, K.EXTREME_TACHY).onset_ns >= 40 * S


def test_asystole_is_blind_for_its_time_after_contact_returns() -> None:
    stream = merged(
        quality(0, 20), quality(20, 30, OFF), quality(30, 45), beats_at(steady_s(0.1, 20, 75))
    )
    asystole = first(run(stream), K.ASYSTOLE)
    assert asystole.onset_ns == 30 * S
    assert asystole.time_ns == 35 * S


def test_active_alarm_is_held_through_lead_off_and_ends_after_it() -> None:
    stream = merged(
        quality(0, 20),
        quality(20, 60, OFF),
        quality(60, 90),
        beats_at([*steady_s(0.1, 20, 160), *steady_s(60.1, 90, 75)]),
    )
    alerts = [alert for alert in run(stream) if alert.kind is K.EXTREME_TACHY]
    assert [alert.phase for alert in alerts] == [Phase.START, Phase.UPDATE, Phase.UPDATE, Phase.END]
    assert [alert.evidence.get("held") for alert in alerts[:2]] == [None, "lead_off"]
    assert alerts[-1].time_ns >= 68 * S


def test_flickering_contact_is_no_flood() -> None:
    seconds = [
        each for k in range(5, 125) for each in quality(k, k + 1, OFF, OFF if k % 2 else GOOD)
    ]
    alerts = run([*quality(0, 5, GOOD, GOOD), *seconds])
    assert len([alert for alert in alerts if alert.kind is K.LEAD_OFF]) <= 2 + 2 * 120 / 30


def test_one_noisy_second_does_not_restart_a_tachycardia() -> None:
    stream = merged(
        quality(0, 4), quality(4, 5, NOISY), quality(5, 20), beats_at(steady_s(0.1, 20, 150))
    )
    assert first(run(stream), K.EXTREME_TACHY).time_ns <= 8 * S


def test_noise_of_many_false_beats_raises_nothing_physiological() -> None:
    stream = merged(
        quality(0, 20),
        quality(20, 80, NOISY),
        quality(80, 100),
        beats_at([*steady_s(0.1, 20, 75), *steady_s(20.2, 80, 210), *steady_s(80.3, 100, 75)]),
    )
    assert starts(run(stream)) == [K.POOR_SIGNAL]


def test_nothing_physiological_without_quality() -> None:
    assert run(beats_at(steady_s(0.1, 60, 200))) == []


def test_break_between_quality_seconds_starts_anew() -> None:
    stream = merged(quality(0, 20), quality(23, 40), beats_at(steady_s(0.1, 20, 75)))
    assert first(run(stream), K.ASYSTOLE).onset_ns == 23 * S


def test_lossy_second_restarts_the_asystole_clock() -> None:
    stream = merged(
        quality(0, 22),
        quality(22, 23, missing=0.2),
        quality(23, 40),
        beats_at(steady_s(0.1, 20, 75)),
    )
    assert first(run(stream), K.ASYSTOLE).onset_ns == 23 * S


def test_leads_that_vanish_are_no_crash() -> None:
    assert starts(run([Quality(k * S, ()) for k in range(1, 30)])) == [K.POOR_SIGNAL]


def test_not_a_number_is_no_quality() -> None:
    assert starts(run(quality(0, 20, LeadQuality(float("nan"))))) == [K.ASYSTOLE]


def test_who_explains_is_asked_before_what_it_explains() -> None:
    assert sorted(ORDER) == sorted(K)
    for kind, explained in EXPLAINS.items():
        assert all(ORDER.index(kind) < ORDER.index(other) for other in explained)
        assert kind not in explained


def test_no_physiological_alarm_silences_a_link_alarm() -> None:
    for kind, explained in EXPLAINS.items():
        if kind not in TECHNICAL:
            assert explained.isdisjoint({K.SIGNAL_LOST, K.LEAD_OFF})


def test_disabled_kind_never_starts() -> None:
    stream = merged(quality(0, 30), beats_at(steady_s(0.1, 30, 45)))
    assert starts(run(stream)) == [K.BRADY]
    assert run(stream, AlarmLimits(disabled=(K.BRADY,))) == []
