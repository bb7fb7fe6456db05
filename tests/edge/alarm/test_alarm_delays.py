"""Alarm condition delay of every kind, as `docs/alarms.md` discloses it.

From the moment at which the condition is there to the observation that starts the alarm, over
ten phases between the heart and the seconds of quality and encoder output. The QRS detector knows
a QRS 0.2 s after its peak; an encoder with a QRS head knows it at the end of a hop, and its class
one beat later (`alarm_streams.by_encoder`). The encoder says VF one second after it began.
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
    by_encoder,
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


Span = tuple[float, float]

DELAYS: list[tuple[str, K, Scenario, Span | None, Span]] = [
    ("asystole", K.ASYSTOLE, asystole, (4.5, 5.5), (4.6, 5.5)),
    ("vf", K.VF, vf, (5.0, 6.0), (5.0, 6.0)),
    ("vt 150/min", K.VT, ventricular(20, 150), None, (2.6, 3.5)),
    ("vt 200/min", K.VT, ventricular(20, 200), None, (2.1, 3.0)),
    ("extreme_brady 35/min", K.EXTREME_BRADY, rate(35), (7.1, 7.1), (7.4, 8.3)),
    ("extreme_tachy 150/min", K.EXTREME_TACHY, rate(150), (6.2, 6.2), (6.6, 7.5)),
    ("extreme_tachy 206/min", K.EXTREME_TACHY, rate(206), (4.6, 4.6), (4.9, 5.8)),
    ("pause", K.PAUSE, pause, (0.2, 0.2), (0.6, 1.5)),
    ("tachy 130/min", K.TACHY, rate(130), (7.2, 7.2), (7.5, 8.4)),
    ("brady 45/min", K.BRADY, rate(45), (5.6, 5.6), (5.9, 6.8)),
    ("pvc_run", K.PVC_RUN, ventricular(3, 150), None, (3.1, 4.0)),
    ("lead_off", K.LEAD_OFF, lead_off, (2.1, 3.0), (2.1, 3.0)),
    ("signal_lost", K.SIGNAL_LOST, signal_lost, (4.0, 5.0), (4.0, 5.0)),
    ("poor_signal", K.POOR_SIGNAL, poor_signal, (9.1, 10.0), (9.1, 10.0)),
]
"""Least and most, with beats from the QRS detector and from the encoder."""


def delays_s(kind: K, scenario: Scenario, told: Callable[[list[Observation]], object]) -> Span:
    """Least and most over ten phases of the heart."""
    found = []
    for tenth in range(10):
        onset_s, stream = scenario(tenth / 10)
        found.append(first(run(told(stream)), kind).time_ns / S - onset_s)
    return min(found), max(found)


@pytest.mark.parametrize("row", [row for row in DELAYS if row[3]], ids=lambda row: row[0])
def test_delay_with_the_qrs_detector_is_the_disclosed_one(row) -> None:
    _, kind, scenario, disclosed, _ = row
    assert delays_s(kind, scenario, list) == pytest.approx(disclosed, abs=0.11)


@pytest.mark.parametrize("hop_phase_s", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("row", DELAYS, ids=lambda row: row[0])
def test_delay_with_beats_of_the_encoder_is_the_disclosed_one(row, hop_phase_s: float) -> None:
    _, kind, scenario, _, disclosed = row
    found = delays_s(kind, scenario, lambda stream: by_encoder(stream, hop_phase_s))
    assert found == pytest.approx(disclosed, abs=0.11)
