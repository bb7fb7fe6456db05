"""Rules on ventricular beats and on the encoder's VT and VF outputs."""

from __future__ import annotations

import pytest

from edge.alarm import AlarmLimits
from edge.alert import AlarmKind as K
from edge.alert import Phase
from edge.events import Observation
from tests.edge.alarm.alarm_streams import (
    NOISY,
    OFF,
    S,
    beats_at,
    first,
    labelled_beats,
    merged,
    quality,
    rhythm,
    run,
    starts,
    steady_s,
)


def with_run(labels: str, bpm: float, stop_s: int = 40) -> list[Observation]:
    """75/min, at 15 s a run with these labels at `bpm`, then 75/min again; all labelled."""
    before_s = steady_s(0.1, 15, 75)
    run_s = [before_s[-1] + 0.6 + k * 60 / bpm for k in range(len(labels))]
    after_s = steady_s(run_s[-1] + 0.9, stop_s - 2, 75)
    names = "N" * len(before_s) + labels + "N" * len(after_s)
    return merged(quality(0, stop_s), labelled_beats([*before_s, *run_s, *after_s], names))


@pytest.mark.parametrize(
    ("labels", "bpm", "expected"),
    [
        ("V", 150, []),
        ("VV", 150, []),
        ("VVV", 150, [K.PVC_RUN]),
        ("VVVV", 150, [K.PVC_RUN]),
        ("VVVVV", 150, [K.VT]),
        ("VVNVV", 150, []),
        ("VNVNVNVN", 150, []),
        ("VVVVV", 101, [K.VT]),
        ("VVVVV", 99, [K.PVC_RUN]),
        ("VVVVVVVV", 60, [K.PVC_RUN]),
        ("VVVVUVVVV", 150, [K.PVC_RUN]),
    ],
)
def test_run_length_and_rate_decide(labels: str, bpm: float, expected: list[K]) -> None:
    assert starts(run(with_run(labels, bpm))) == expected


def test_fast_vt_is_one_alarm_and_lasts_until_the_run_ends() -> None:
    alerts = run(with_run("V" * 60, 190, stop_s=60))
    assert starts(alerts) == [K.VT]
    start, end = first(alerts, K.VT), first(alerts, K.VT, Phase.END)
    assert start.time_ns - start.onset_ns < 4 * S
    assert end.time_ns - start.onset_ns > 18 * S


def test_misread_beat_within_vt_does_not_end_it() -> None:
    alerts = run(with_run("V" * 20 + "N" + "V" * 20 + "F" + "V" * 20, 160, stop_s=60))
    assert starts(alerts) == [K.VT]


def test_superseding_vt_ends_extreme_tachycardia() -> None:
    fast_s = steady_s(0.2, 20, 160)
    labels = "U" * 25 + "V" * (len(fast_s) - 25)
    alerts = run(merged(quality(0, 20), labelled_beats(fast_s, labels)))
    assert starts(alerts) == [K.EXTREME_TACHY, K.VT]
    end = first(alerts, K.EXTREME_TACHY, Phase.END)
    assert (end.evidence["reason"], end.evidence["by"]) == ("superseded", "vt")


@pytest.mark.parametrize(
    ("seconds", "probability", "bpm", "expected"),
    [(3, 0.9, 110, []), (4, 0.9, 110, [K.VT]), (6, 0.69, 110, []), (6, 0.9, 95, [])],
)
def test_vt_by_encoder_needs_time_probability_and_rate(
    seconds: int, probability: float, bpm: float, expected: list[K]
) -> None:
    outputs = [
        *rhythm(0, 15, vt=0.02, vf=0.0),
        *rhythm(15, 15 + seconds, vt=probability, vf=0.0),
        *rhythm(15 + seconds, 30, vt=0.02, vf=0.0),
    ]
    stream = merged(quality(0, 30), beats_at(steady_s(0.1, 30, bpm)), outputs)
    assert starts(run(stream)) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("1110", []), ("1111", [K.VF]), ("11011", [K.VF]), ("110011", []), ("1010101010", [])],
)
def test_vf_needs_four_of_five_seconds(pattern: str, expected: list[K]) -> None:
    outputs = [
        each for k, bit in enumerate(pattern) for each in rhythm(k + 10, k + 11, vf=int(bit))
    ]
    after = 10 + len(pattern)
    stream = merged(
        quality(0, after + 1),
        beats_at(steady_s(0.1, after + 1, 75)),
        rhythm(0, 10, vf=0.0),
        outputs,
    )
    assert starts(run(stream)) == expected


@pytest.mark.parametrize("encoder_delay_s", [0, 1, 2])
def test_vf_is_told_within_seven_seconds_and_alone(encoder_delay_s: int) -> None:
    """Fibrillation from 20 s on: quality says noise, the detector finds no QRS."""
    stream = merged(
        quality(0, 20),
        quality(20, 60, NOISY),
        beats_at(steady_s(0.1, 20, 75)),
        rhythm(0, 20 + encoder_delay_s, vf=0.01, vt=0.01, noise=0.0),
        rhythm(20 + encoder_delay_s, 60, vf=0.95, vt=0.2, noise=0.1),
    )
    alerts = run(stream)
    assert starts(alerts) == [K.VF]
    assert alerts[0].time_ns <= 27 * S


def test_vf_with_clean_signal_is_no_asystole_as_well() -> None:
    stream = merged(
        quality(0, 60),
        beats_at(steady_s(0.1, 20, 75)),
        rhythm(0, 20, vf=0.0),
        rhythm(20, 60, vf=0.95),
    )
    assert starts(run(stream)) == [K.VF]


def test_vf_replaces_an_asystole_told_before_and_gives_way_to_a_later_one() -> None:
    stream = merged(
        quality(0, 90),
        beats_at(steady_s(0.1, 20, 75)),
        rhythm(0, 24, vf=0.0),
        rhythm(24, 50, vf=0.95),
        rhythm(50, 90, vf=0.0),
    )
    alerts = run(stream)
    assert starts(alerts) == [K.ASYSTOLE, K.VF, K.ASYSTOLE]
    ids = [alert.id for alert in alerts if alert.phase is Phase.START]
    assert len(set(ids)) == 3
    assert first(alerts, K.ASYSTOLE, Phase.END).evidence["by"] == "vf"


def test_vf_output_is_not_believed_in_noise_or_without_contact() -> None:
    beats = beats_at(steady_s(0.1, 20, 75))
    called_noise = merged(
        quality(0, 20), quality(20, 40, NOISY), beats, rhythm(20, 40, vf=0.9, noise=0.8)
    )
    assert starts(run(called_noise)) == [K.POOR_SIGNAL]
    off = merged(quality(0, 20), quality(20, 40, OFF), beats, rhythm(20, 40, vf=0.9, noise=0.0))
    assert starts(run(off)) == [K.LEAD_OFF]


def test_without_encoder_fibrillation_still_alarms_high() -> None:
    """No VF output: a detector that finds nothing leads to asystole, one that finds much to
    extreme tachycardia."""
    nothing = merged(quality(0, 40), beats_at(steady_s(0.1, 20, 75)))
    much = merged(quality(0, 40), beats_at([*steady_s(0.1, 20, 75), *steady_s(20.2, 40, 300)]))
    assert starts(run(nothing)) == [K.ASYSTOLE]
    assert starts(run(much)) == [K.EXTREME_TACHY]


def test_noisy_seconds_hold_back_ventricular_beats() -> None:
    before_s, noise_s = steady_s(0.1, 20, 75), steady_s(20.2, 26, 150)
    stream = merged(
        quality(0, 20),
        quality(20, 28, NOISY),
        quality(28, 40),
        labelled_beats(before_s, "N" * len(before_s)),
        labelled_beats(noise_s, "V" * len(noise_s)),
        beats_at(steady_s(28.1, 40, 75), "N"),
    )
    assert K.VT not in starts(run(stream))


def test_limits_move_the_boundary() -> None:
    limits = AlarmLimits(vt_beats=8)
    assert starts(run(with_run("V" * 7, 150), limits)) == [K.PVC_RUN]
    assert starts(run(with_run("V" * 8, 150), limits)) == [K.VT]
