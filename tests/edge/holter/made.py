"""Recordings and beats made for reports, in no more time than writing the files takes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edge.clock import rfc3339
from edge.holter.beats import CLASSES, Beats
from edge.holter.seconds import RHYTHMS, Seconds, Signal
from edge.record.content import (
    VERSION,
    Axis,
    Header,
    format_record,
    gap_record,
    header_record,
    notes_record,
    samples_records,
)
from edge.record.notes import (
    AlertNote,
    BeatNote,
    LabelNote,
    Notes,
    QualityNote,
    RhythmNote,
    TechnicalNote,
)
from firmware_bridge.stream import NS_PER_S, Chunk, StreamFormat

UTC_NS = 1_800_000_000 * NS_PER_S
"""2027-01-15T08:00:00Z."""
RATE_HZ = 250
QRS = np.concatenate([np.linspace(0, 1000, 10), np.linspace(1000, -200, 10), np.zeros(5)])


def beats_of(labels, rr_ms=800.0, breaks=()):
    """Beats one after another from 0 on; breaks: which beats something is lost before."""
    count = len(labels)
    rr = np.broadcast_to(np.asarray(rr_ms, float), count).copy()
    time_ns = (np.cumsum(rr) * 1e6).astype(np.int64)
    rr[[0, *breaks]] = np.nan
    kind = np.array([CLASSES.index(each) for each in labels], np.uint8)
    return Beats(time_ns, kind, rr, np.isfinite(rr))


def seconds_of(count, rhythm="normal", signal=Signal.CLEAN):
    """Seconds from 0 on that are all alike."""
    state = np.full(count, signal, np.uint8)
    return Seconds(0, state, np.full(count, RHYTHMS.index(rhythm), np.uint8))


@dataclass
class Run:
    """One run of the program as it recorded one patient, a second a block.

    beats: (time in s, class). gaps: (first second, how many). bad: seconds with these flags on all
    leads. rhythm: (from second, label). alarms: (onset, end or None, kind, priority).
    """

    seconds: int = 60
    beats: list = field(default_factory=list)
    gaps: list = field(default_factory=list)
    bad: dict = field(default_factory=dict)
    rhythm: list = field(default_factory=lambda: [(0, "normal")])
    alarms: list = field(default_factory=list)
    leads: tuple = ("I", "II")
    late_s: float = 0.0
    name: str = "run-1"
    sends_ecg: bool = True
    words: list = field(default_factory=list)


def regular(seconds, rr_s=0.8, label="N"):
    """A beat every so often."""
    return [(round(t, 6), label) for t in np.arange(rr_s, seconds - 0.2, rr_s).tolist()]


def record(root, *runs, patient="p"):
    """Write runs, a piece each; returns the directory."""
    folder = root / patient
    folder.mkdir(parents=True, exist_ok=True)
    for number, run in enumerate(runs, len(list(folder.iterdir())) + 1):
        utc_ns = UTC_NS + round(run.late_s * NS_PER_S)
        begun = rfc3339(utc_ns)[:19].replace("-", "").replace(":", "")
        header = Header(VERSION, patient, "patch-1", run.name, number, utc_ns, "edge test")
        body = [header_record(header), *_records(run, utc_ns)]
        (folder / f"{number:08d}-{begun}Z.edgerec").write_bytes(b"".join(body))
    return root


def ecg(run):
    """Its samples, (samples, leads), in uV: a QRS at each beat."""
    samples = np.zeros((run.seconds * RATE_HZ, len(run.leads)), np.float32)
    for time_s, _ in run.beats:
        at = round(time_s * RATE_HZ) - 10
        shown = samples[max(at, 0) : at + len(QRS)]
        shown += QRS[max(-at, 0) :][: len(shown), None].astype(np.float32)
    return samples


def _records(run, utc_ns):
    axis = Axis(0, 0, 0, float(RATE_HZ), run.leads)
    lost = {each for first, count in run.gaps for each in range(first, first + count)}
    samples = ecg(run)
    if run.sends_ecg:
        yield format_record(axis)
    if run.words:
        notes = tuple(TechnicalNote(0, word) for word in run.words)
        yield notes_record(Notes(0, utc_ns, notes))
    for second in range(run.seconds):
        if run.sends_ecg and second not in lost:
            within = samples[second * RATE_HZ : (second + 1) * RATE_HZ]
            form = StreamFormat(axis.rate_hz, run.leads)
            chunk = Chunk(form, second * RATE_HZ, within, 0)
            yield from samples_records(0, chunk, utc_ns + second * NS_PER_S, [within])
        elif second in {first for first, _ in run.gaps}:
            count = next(n for first, n in run.gaps if first == second)
            yield gap_record(axis, second * RATE_HZ, count * RATE_HZ, "disconnect")
        notes = tuple(_notes(run, second, lost))
        if notes:
            yield notes_record(Notes(second * NS_PER_S, utc_ns + second * NS_PER_S, notes))


def _notes(run, second, lost):
    yield from (RhythmNote(s * NS_PER_S, label) for s, label in run.rhythm if s == second)
    before = None
    for time_s, label in run.beats:
        if int(time_s) == second and second not in lost:
            unbroken = before is not None and not lost & set(range(int(before), second + 1))
            rr_ms = (time_s - before) * 1000 if unbroken else None
            time_ns = round(time_s * NS_PER_S)
            yield BeatNote(time_ns, "U", 0.0, rr_ms, 900.0, 0)
            if label != "U":
                yield LabelNote(time_ns, label, 0.9)
        before = time_s
    if run.sends_ecg and second not in lost:
        flags = (run.bad.get(second, 0),) * len(run.leads)
        yield QualityNote((second + 1) * NS_PER_S, (1.0,) * len(run.leads), flags, 0.0)
    for number, (onset, end, kind, priority) in enumerate(run.alarms):
        about = (f"a{number}", kind, "physiological", priority)
        for at, phase in ((onset, "start"), (end, "end")):
            if at == second:
                evidence = {"bpm": 150.5} if phase == "start" else {}
                yield AlertNote(at * NS_PER_S, *about, phase, onset * NS_PER_S, evidence)
