"""What keeps an alarm on, and what ends it."""

from __future__ import annotations

from edge.alarm import AlarmLimits
from edge.alert import AlarmKind as K
from edge.alert import Alert, Phase
from edge.events import Observation, Rhythm, Silence
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


def ends(alerts: list[Alert]) -> list[K]:
    """Kinds in the order in which they ended."""
    return [alert.kind for alert in alerts if alert.phase is Phase.END]


def test_slow_rate_near_its_limit_does_not_flutter() -> None:
    times_s = [0.1]
    while times_s[-1] < 200:
        times_s.append(times_s[-1] + 60 / (51 if int(times_s[-1] / 20) % 2 else 49))
    alerts = run(merged(quality(0, 200), beats_at(times_s)))
    assert (starts(alerts), ends(alerts)) == ([K.BRADY], [])


def test_condition_that_returns_within_the_end_time_is_one_alarm() -> None:
    seconds: list[Observation] = []
    for start in range(0, 42, 7):
        seconds += [*quality(start, start + 5, OFF), *quality(start + 5, start + 7)]
    alerts = run(merged(seconds, beats_at(steady_s(0.1, 42, 75))))
    assert (starts(alerts), ends(alerts)) == ([K.LEAD_OFF], [])


def test_vt_with_many_misread_beats_goes_on() -> None:
    names = "N" * 20 + "VVVVV" + "VVVN" * 15
    times_s = [*steady_s(0.1, 16, 75), *(16.1 + k * 0.375 for k in range(65))]
    alerts = run(merged(quality(0, 42), labelled_beats(times_s, names)))
    assert (starts(alerts), ends(alerts)) == ([K.VT], [])


def test_slow_ventricular_rhythm_is_told_while_it_goes_on() -> None:
    times_s = [*steady_s(0.1, 16, 75), *steady_s(16.1, 40, 70)]
    names = "N" * 20 + "V" * (len(times_s) - 20)
    alerts = run(merged(quality(0, 40), labelled_beats(times_s, names)))
    assert starts(alerts) == [K.PVC_RUN]
    assert alerts[0].time_ns < 23 * S


def vf_stream(after: str) -> list[Observation]:
    """VF for 10 s, then the encoder says what `after` gives, a second a character."""
    outputs: list[Rhythm] = rhythm(0, 10, vf=0.0) + rhythm(10, 20, vf=0.9)
    for k, bit in enumerate(after):
        outputs += rhythm(20 + k, 21 + k, vf=int(bit))
    return merged(quality(0, 50), beats_at(steady_s(0.1, 50, 75)), outputs)


def test_vf_goes_on_while_the_encoder_wavers_and_ends_when_it_denies() -> None:
    assert ends(run(vf_stream("10100" * 6))) == []
    end = first(run(vf_stream("0" * 30)), K.VF, Phase.END)
    assert 26 * S <= end.time_ns <= 32 * S


def test_encoder_that_falls_silent_does_not_keep_vf_on() -> None:
    assert ends(run(vf_stream(""))) == [K.VF]


def test_silence_without_a_gap_starts_the_clock_anew() -> None:
    stream = [
        *merged(quality(0, 10), beats_at(steady_s(0.1, 9.5, 60))),
        Silence(16 * S, 6 * S),
        *quality(10, 30),
    ]
    assert first(run(stream), K.ASYSTOLE).onset_ns == 10 * S


def test_noise_within_a_long_interval_makes_it_no_pause() -> None:
    before_s = steady_s(0.1, 15.5, 60)
    after_s = steady_s(before_s[-1] + 3.4, 40, 60)
    beats = beats_at([*before_s, *after_s])
    noisy = merged(quality(0, 15), quality(15, 16, NOISY), quality(16, 40), beats)
    assert starts(run(noisy)) == []
    assert starts(run(merged(quality(0, 40), beats))) == [K.PAUSE]


def test_alarm_does_not_start_in_a_noisy_second() -> None:
    stream = merged(
        quality(0, 5), quality(5, 6, NOISY), quality(6, 12), beats_at(steady_s(0.1, 12, 150))
    )
    assert first(run(stream), K.EXTREME_TACHY).time_ns == 7 * S


def test_encoder_output_from_before_a_lost_contact_does_not_count() -> None:
    outputs = [
        each for k, bit in enumerate("11101") for each in rhythm(17 + k, 18 + k, vf=int(bit))
    ]
    seconds = merged(quality(0, 20), quality(20, 21, OFF), quality(21, 22))
    stream = merged(seconds, beats_at(steady_s(0.1, 22, 75)), outputs)
    assert starts(run(stream, AlarmLimits(blind_s=0.0))) == []


def test_af_goes_on_while_the_encoder_wavers() -> None:
    times_s = [0.1]
    while times_s[-1] < 120:
        times_s.append(times_s[-1] + (0.6, 0.9, 0.7, 1.1, 0.65)[len(times_s) * 7 % 5])
    wavering = [each for k in range(40, 120) for each in rhythm(k, k + 1, af=0.9 * (k % 5 < 3))]
    stream = merged(quality(0, 120), beats_at(times_s), rhythm(0, 40, af=0.9), wavering)
    alerts = run(stream)
    assert (starts(alerts), ends(alerts)) == ([K.AF], [])


def test_end_does_not_carry_a_hold_that_is_over() -> None:
    stream = merged(
        quality(0, 20),
        quality(20, 45, OFF),
        quality(45, 60),
        beats_at([*steady_s(0.1, 20, 160), *steady_s(45.1, 60, 75)]),
    )
    alerts = run(stream)
    assert first(alerts, K.EXTREME_TACHY, Phase.UPDATE).evidence["held"] == "lead_off"
    assert "held" not in first(alerts, K.EXTREME_TACHY, Phase.END).evidence
