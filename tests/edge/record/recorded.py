"""Recordings made of steps, for tests."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
from hypothesis import strategies as st

from edge.pipeline import Anchor, Step
from edge.record import Block, Lost, Notes, open_recording
from edge.record.recorder import Recorder
from edge.record_settings import RecordSettings
from firmware_bridge.stream import NS_PER_S, Chunk, FormatChange, Gap, StreamFormat
from tests.patience import WAIT_S

UTC_NS = 1_800_000_000 * NS_PER_S
FORMATS = (
    StreamFormat(250.0, ("I",)),
    StreamFormat(130.0, ("ECG",)),
    StreamFormat(500.0, ("I", "II", "V1")),
)


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self, now_ns=1000 * NS_PER_S, utc_ns=UTC_NS):
        self.now_ns = now_ns
        self.offset_ns = utc_ns - now_ns

    def monotonic_ns(self):
        return self.now_ns

    def utc_ns(self):
        return self.now_ns + self.offset_ns


class Stream:
    """One patient's stream, made by hand: events with their places and times."""

    def __init__(self, clock, form=FORMATS[0]):
        self.clock = clock
        self.format = form
        self.index = 0
        self.time_ns = 0
        self.anchors = {}

    def chunk(self, samples, **fields):
        samples = np.asarray(samples, np.float32).reshape(-1, len(self.format.leads))
        self.anchors[self.index] = Anchor(self.time_ns, self.clock.now_ns, None)
        chunk = Chunk(self.format, self.index, samples, self.clock.now_ns, **fields)
        self._pass(len(samples))
        return chunk

    def gap(self, length, cause="loss"):
        gap = Gap(self.format, self.index, length, cause)
        self._pass(length)
        return gap

    def change(self, form):
        self.format = form
        return FormatChange(self.index, form)

    def _pass(self, samples):
        self.index += samples
        lasts_ns = round(samples / self.format.rate_hz * NS_PER_S)
        self.time_ns += lasts_ns
        self.clock.now_ns += lasts_ns


def monitor(stream, step=None, patient="p", device="patch-1"):
    """As it is after a step; before the first where none is given."""
    chunks = [event for event in step.events if isinstance(event, Chunk)] if step else []
    anchor = stream.anchors[chunks[-1].start] if chunks else None
    return SimpleNamespace(
        patient=SimpleNamespace(id=patient),
        device=device,
        pipeline=SimpleNamespace(anchor=anchor),
        now_ns=stream.time_ns,
    )


def recorder_in(root, clock, **settings):
    made = Recorder(RecordSettings(directory=str(root), reserve_mb=0, **settings), clock)
    made.start()
    return made


def hand_over(recorder, clock):
    """A second passes, and the engine ticks."""
    clock.now_ns += NS_PER_S
    recorder.ticked(None, None)


def record(root, *steps, clock=None, stream=None, **settings):
    """Record steps, each handed over by itself."""
    clock = clock or ManualClock()
    stream = stream or Stream(clock)
    recorder = recorder_in(root, clock, **settings)
    for step in steps:
        recorder.stepped(monitor(stream, step), step)
        hand_over(recorder, clock)
    recorder.close(WAIT_S)
    return recorder


def written(root):
    """All that the recording holds: samples by stretch, gaps, notes."""
    return list(open_recording(Path(root)).read())


def blocks(entries):
    return [each for each in entries if isinstance(each, Block)]


def lost(entries):
    return [(each.start, each.length, each.cause) for each in entries if isinstance(each, Lost)]


def notes(entries):
    return [note for each in entries if isinstance(each, Notes) for note in each.notes]


def by_index(chunks):
    """Every sample by its place: (index, format, bytes of its float32 values)."""
    return [
        (chunk.start + k, chunk.format, row.astype("<f4").tobytes())
        for chunk in chunks
        for k, row in enumerate(chunk.samples_uv)
    ]


@st.composite
def streams(draw, most=14):
    """A clock, a stream and the steps of anything that a timeline may bring forth."""
    clock = ManualClock()
    stream = Stream(clock, draw(st.sampled_from(FORMATS)))
    values = st.floats(width=32)
    events = []
    for _ in range(draw(st.integers(1, most))):
        kind = draw(st.sampled_from("cccgfp"))
        if kind == "c":
            leads = len(stream.format.leads)
            rows = draw(st.integers(1, 20))
            bits = draw(st.lists(values, min_size=4, max_size=4))
            samples = np.resize(np.array(bits, np.float32), (rows, leads))
            events.append(stream.chunk(samples, lead_off=draw(st.integers(0, 1))))
        elif kind == "g":
            events.append(stream.gap(draw(st.integers(1, 1000))))
        elif kind == "f":
            events.append(stream.change(draw(st.sampled_from(FORMATS))))
        else:
            events.append(None)  # a pause: the next belongs to another batch, a minute later
    return clock, stream, events


def record_events(root, drawn):
    """Record what `streams` drew; pauses begin another piece."""
    clock, stream, events = drawn
    recorder = recorder_in(root, clock, piece_minutes=1)
    group = []
    for event in [*events, None]:
        if event is not None:
            group.append(event)
            continue
        step = Step(tuple(group))
        recorder.stepped(monitor(stream, step), step)
        hand_over(recorder, clock)
        clock.now_ns += 61 * NS_PER_S
        group = []
    recorder.close(WAIT_S)
    return [each for each in events if each is not None]
