"""The alarm rules on reference annotations of the MIT-BIH Arrhythmia Database.

The beats and classes are those of the cardiologists, so what is judged are the rules alone.
"""

from __future__ import annotations

from itertools import groupby, pairwise
from pathlib import Path

import pytest

from edge.alert import AlarmKind as K
from edge.alert import Alert, Phase, Priority
from edge.events import Beat, BeatClass, BeatLabel, Observation
from tests.edge.alarm.alarm_streams import (
    LABEL_KNOWN_NS,
    QRS_KNOWN_NS,
    S,
    merged,
    quality,
    run,
    starts,
)

wfdb = pytest.importorskip("wfdb")

pytestmark = pytest.mark.records

EC57 = {
    **dict.fromkeys("NLRej", BeatClass.N),
    **dict.fromkeys("AaJS", BeatClass.S),
    **dict.fromkeys("VE", BeatClass.V),
    "F": BeatClass.F,
    **dict.fromkeys("/fQ", BeatClass.Q),
}


def annotated(folder: Path, record: str) -> list[tuple[int, BeatClass]]:
    """Stream time and class of every annotated beat."""
    annotation = wfdb.rdann(str(folder / "mitdb" / record), "atr")
    return [
        (round(sample * S / 360), EC57[symbol])
        for sample, symbol in zip(annotation.sample, annotation.symbol, strict=True)
        if symbol in EC57
    ]


def alerts_of(beats: list[tuple[int, BeatClass]]) -> list[Alert]:
    """Alerts of the default limits under a clean signal."""
    found: list[Observation] = []
    for k, (time_ns, label) in enumerate(beats):
        rr_ms = (time_ns - beats[k - 1][0]) / 1e6 if k else None
        found.append(Beat(k, time_ns, time_ns + QRS_KNOWN_NS, 0, rr_ms, 1000.0))
        found.append(BeatLabel(time_ns, time_ns + LABEL_KNOWN_NS, label, 1.0))
    return run(merged(quality(0, beats[-1][0] // S), found))


def vt_runs(beats: list[tuple[int, BeatClass]]) -> list[tuple[int, int]]:
    """First and last beat of every ventricular run that CinC 2015 calls VT for its first five
    beats or any later five."""
    runs = []
    for ventricular, group in groupby(beats, lambda beat: beat[1] is BeatClass.V):
        times = [time_ns for time_ns, _ in group]
        fives = [b - a for a, b in zip(times, times[4:], strict=False)]
        if ventricular and any(span < 4 * 0.6 * S for span in fives):
            runs.append((times[0], times[-1]))
    return runs


@pytest.mark.parametrize("record", ["100", "101", "115"])
def test_normal_rhythm_makes_no_alarm_of_high_priority(records_dir: Path, record: str) -> None:
    alerts = alerts_of(annotated(records_dir, record))
    assert not [alert for alert in alerts if alert.priority is Priority.HIGH]


@pytest.mark.parametrize("record", ["203", "205", "223"])
def test_vt_alarms_are_the_annotated_runs(records_dir: Path, record: str) -> None:
    beats = annotated(records_dir, record)
    runs = vt_runs(beats)
    vt = [a for a in alerts_of(beats) if a.kind is K.VT and a.phase is Phase.START]
    assert [alert.onset_ns for alert in vt if not _inside(alert.onset_ns, runs)] == []
    told = {alert.onset_ns for alert in vt}
    apart = [b for a, b in pairwise([(0, 0), *runs]) if b[0] - a[1] > 8 * S]
    assert {start for start, _ in apart} <= told


def _inside(time_ns: int, runs: list[tuple[int, int]]) -> bool:
    """A run that slowed down and sped up again alarms anew, from the end of its first alarm;
    that end comes as late as the labels do."""
    return any(start <= time_ns <= stop + LABEL_KNOWN_NS for start, stop in runs)


def test_fibrillation_without_an_encoder_is_an_asystole(records_dir: Path) -> None:
    """Record 207 holds ventricular flutter, where the reference marks no beats."""
    assert K.ASYSTOLE in starts(alerts_of(annotated(records_dir, "207")))


def test_af_by_intervals_alone_on_records_of_the_training_half(records_dir: Path) -> None:
    assert K.AF in starts(alerts_of(annotated(records_dir, "201")))
    for record in ("106", "119", "223"):
        assert K.AF not in starts(alerts_of(annotated(records_dir, record)))
