"""Alarm condition delay of every kind, as `docs/alarms.md` discloses it.

From the moment at which the condition is there to the observation that starts the alarm, over
ten phases between the heart and the seconds of quality and encoder output. A QRS is known 0.2 s
after its peak, its class 1.5 s after; the encoder says VF one second after it began.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge.alert import AlarmKind as K
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
    silences,
    steady_s,
)

Scenario = Callable[[float], tuple[float, list[Observation]]]
"""Phase in seconds to (time in seconds at which the condition is there, stream)."""


def asystole(phase_s: float) -> tuple[float, list[Observation]]:
    """No QRS after about 20 s; counted from the last one."""
    times_s = steady_s(0.1 + phase_s, 20 + phase_s, 75)
    return times_s[-1], merged(quality(0, 30), beats_at(times_s))


def pause(phase_s: float) -> tuple[float, list[Observation]]:
    """One interval of 3.2 s; counted from the QRS that ends it."""
    before_s = steady_s(0.1 + phase_s, 20 + phase_s, 75)
    after_s = steady_s(before_s[-1] + 3.2, 30, 75)
    return after_s[0], merged(quality(0, 30), beats_at([*before_s, *after_s]))


def rate(bpm: float) -> Scenario:
    """80/min, then another rate; counted from the last beat of the old rate."""

    def scenario(phase_s: float) -> tuple[float, list[Observation]]:
        before_s = steady_s(0.1 + phase_s, 20 + phase_s, 80)
        after_s = [before_s[-1] + (k + 1) * 60 / bpm for k in range(30)]
        return before_s[-1], merged(quality(0, 80), beats_at([*before_s, *after_s]))

    return scenario


def ventricular(count: int, bpm: float) -> Scenario:
    """75/min, then a ventricular run, then 75/min; counted from the first ventricular beat."""

    def scenario(phase_s: float) -> tuple[float, list[Observation]]:
        before_s = steady_s(0.1 + phase_s, 20 + phase_s, 75)
        run_s = [before_s[-1] + 0.6 + k * 60 / bpm for k in range(count)]
        after_s = steady_s(run_s[-1] + 0.9, 38, 75)
        names = "N" * len(before_s) + "V" * count + "N" * len(after_s)
        beats = labelled_beats([*before_s, *run_s, *after_s], names)
        return run_s[0], merged(quality(0, 40), beats)

    return scenario


def vf(phase_s: float) -> tuple[float, list[Observation]]:
    """Fibrillation from some moment on; the first full second after the next says so."""
    onset_s = 20 + phase_s
    heard_s = 21 if phase_s == 0 else 22
    stream = merged(
        quality(0, 20),
        quality(20, 40, NOISY),
        beats_at(steady_s(0.1, onset_s, 75)),
        rhythm(0, heard_s, vf=0.02),
        rhythm(heard_s, 40, vf=0.95),
    )
    return onset_s, stream


def lead_off(phase_s: float) -> tuple[float, list[Observation]]:
    """Every electrode off from some moment on; the second in which it happens says so."""
    stream = merged(quality(0, 20), quality(20, 40, OFF), beats_at(steady_s(0.1, 20, 75)))
    return 20 + phase_s, stream


def signal_lost(phase_s: float) -> tuple[float, list[Observation]]:
    """The link falls silent; told once a second of the host, at any phase."""
    moved = [
        type(each)(each.time_ns, each.silent_ns - round(phase_s * S), "")
        for each in silences(20, 40)
    ]
    return 20 + phase_s, [*quality(0, 20), *moved]


def poor_signal(phase_s: float) -> tuple[float, list[Observation]]:
    """Noise from some moment on; the second in which it begins is bad."""
    stream = merged(quality(0, 20), quality(20, 40, NOISY), beats_at(steady_s(0.1, 20, 75)))
    return 20 + phase_s, stream


DELAYS: list[tuple[str, K, Scenario, float, float]] = [
    ("asystole", K.ASYSTOLE, asystole, 4.5, 5.5),
    ("vf", K.VF, vf, 5.0, 6.0),
    ("vt 150/min", K.VT, ventricular(20, 150), 3.1, 3.1),
    ("vt 200/min", K.VT, ventricular(20, 200), 2.7, 2.7),
    ("extreme_brady 35/min", K.EXTREME_BRADY, rate(35), 7.1, 7.1),
    ("extreme_tachy 150/min", K.EXTREME_TACHY, rate(150), 6.2, 6.2),
    ("extreme_tachy 206/min", K.EXTREME_TACHY, rate(206), 4.6, 4.6),
    ("pause", K.PAUSE, pause, 0.2, 0.2),
    ("tachy 130/min", K.TACHY, rate(130), 7.2, 7.2),
    ("brady 45/min", K.BRADY, rate(45), 5.6, 5.6),
    ("pvc_run", K.PVC_RUN, ventricular(3, 150), 3.2, 3.2),
    ("lead_off", K.LEAD_OFF, lead_off, 2.1, 3.0),
    ("signal_lost", K.SIGNAL_LOST, signal_lost, 5.0, 6.0),
    ("poor_signal", K.POOR_SIGNAL, poor_signal, 9.1, 10.0),
]


@pytest.mark.parametrize(
    ("kind", "scenario", "least_s", "most_s"),
    [row[1:] for row in DELAYS],
    ids=[row[0] for row in DELAYS],
)
def test_delay_is_the_disclosed_one(
    kind: K, scenario: Scenario, least_s: float, most_s: float
) -> None:
    delays = []
    for tenth in range(10):
        onset_s, stream = scenario(tenth / 10)
        delays.append(first(run(stream), kind).time_ns / S - onset_s)
    assert min(delays) == pytest.approx(least_s, abs=0.11)
    assert max(delays) == pytest.approx(most_s, abs=0.11)
