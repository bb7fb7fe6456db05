"""A recording with all that an export must carry, and readers that know nothing of the writers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from edge.alert import AlarmType, Alert, Phase, Priority
from edge.events import Beat, BeatClass, BeatLabel, LeadQuality, Quality, Rhythm
from edge.monitor import LinkReport
from edge.pipeline import Step
from edge.record import open_recording
from firmware_bridge.stream import NS_PER_S, StreamFormat
from tests.edge.record.recorded import UTC_NS, ManualClock, Stream, monitor, recorder_in
from tests.patience import WAIT_S

RATE_HZ = 250
START = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=UTC_NS // 1000)
FORM = StreamFormat(float(RATE_HZ), ("I", "II"))
CLASSES = "NNVNSNFNQNNUNNN"


@dataclass
class Made:
    """What was recorded: `truth` has NaN in gaps; beats as (sample, class); gaps as (start, n)."""

    root: object
    truth: np.ndarray
    beats: list = field(default_factory=list)
    gaps: list = field(default_factory=list)
    alert_at: int = 0

    @property
    def recording(self):
        return open_recording(self.root)


def signal(count, leads=2, seed=1, offset_uv=0.0):
    """Something like an ECG, on a device's own steps of 0.25 uV."""
    noise = np.random.default_rng(seed).normal(0, 20, (count, leads))
    wave = 800 * np.sin(np.arange(count) / 25)[:, None] ** 9 + offset_uv
    return (np.rint((wave + noise) * 4) / 4).astype(np.float32)


def make(root, seconds=20, gaps=(), offset_uv=0.0, form=FORM):
    """gaps: (start, length) in samples."""
    stream = Stream(ManualClock(), form)
    recorder = recorder_in(root, stream.clock)
    recorder.link_changed(monitor(stream), LinkReport("streaming", ""))
    rate = round(form.rate_hz)
    count = seconds * rate
    truth = signal(count, len(form.leads), offset_uv=offset_uv)
    for start, length in gaps:
        truth[start : start + length] = np.nan
    made = Made(root, truth, gaps=list(gaps))
    at = 0
    while at < count:
        stop = min([at + rate, count, *(start for start, _ in gaps if start > at)])
        gap = next((each for each in gaps if each[0] == at), None)
        event = stream.gap(gap[1]) if gap else stream.chunk(truth[at:stop])
        step = Step((event,), tuple(observed(made, at, stream, rate)))
        recorder.stepped(monitor(stream, step), step)
        at += gap[1] if gap else stop - at
    last = Step((), (), tuple(alert(made, phase) for phase in (Phase.START, Phase.END)))
    recorder.stepped(monitor(stream), last)
    recorder.close(WAIT_S)
    return made


def observed(made, at, stream, rate):
    """A beat a second with its class, told one late; AF from the third second; noise in the 5th."""
    second, time_ns = len(made.beats), round((at + 50) / rate * NS_PER_S)
    if second >= len(CLASSES) or np.isnan(made.truth[at + 50, 0]):
        return
    label = CLASSES[second]
    made.beats.append((at + 50, label))
    yield Beat(at + 50, time_ns, stream.time_ns, 1, None, 900.0)
    if label != "U":
        yield BeatLabel(time_ns, stream.time_ns, BeatClass(label), 0.75)
    if second == 2:
        yield Rhythm(at * NS_PER_S // rate, {"af": 0.9, "normal": 0.1})
    clean, noisy = LeadQuality(0.9), LeadQuality(0.1, noisy=True)
    yield Quality(stream.time_ns, (clean, noisy if second == 4 else clean))


def alert(made, phase):
    made.alert_at = 10 * RATE_HZ
    onset_ns = 10 * NS_PER_S
    return Alert(
        *("a1", "vt", AlarmType.PHYSIOLOGICAL, Priority.HIGH, phase, onset_ns),
        *(onset_ns + 2 * NS_PER_S, {"bpm": 180}),
    )


@dataclass
class ParsedEdf:
    kind: str
    start: str
    labels: list
    physical: np.ndarray
    annotations: list


def parse_edf(content, rate=RATE_HZ):
    """EDF+ by its specification; signals on a grid from the start, NaN between the records."""
    text = content[:256].decode("ascii")
    count, records, duration = int(text[252:256]), int(text[236:244]), float(text[244:252])
    head = content[256 : 256 * (count + 1)].decode("ascii")
    widths = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
    columns, at = [], 0
    for width in widths:
        columns.append([head[at + k * width : at + (k + 1) * width].strip() for k in range(count)])
        at += width * count
    lows, highs, samples = columns[3], columns[4], [int(each) for each in columns[8]]
    size = 2 * sum(samples)
    assert len(content) == 256 * (count + 1) + records * size
    assert int(text[184:192]) == 256 * (count + 1)
    onsets, signals, annotations = [], [], []
    for record in range(records):
        body = content[256 * (count + 1) + record * size :][:size]
        values = np.frombuffer(body[: 2 * sum(samples[:-1])], "<i2").reshape(count - 1, -1).T
        tals = [each for each in body[2 * sum(samples[:-1]) :].split(b"\0") if each]
        onsets.append(float(tals[0].split(b"\x14")[0]))
        for tal in tals[1:]:
            onset, *texts = tal.split(b"\x14")
            first, _, lasting = onset.partition(b"\x15")
            annotations += [(float(first), float(lasting or 0), t.decode()) for t in texts if t]
        low, high = np.array(lows[:-1], float), np.array(highs[:-1], float)
        scaled = low + (values + 32768.0) * (high - low) / 65535
        signals.append(np.where(values == -32768, np.nan, scaled))
    late = onsets[0] % 1
    grid = np.full((round((onsets[-1] - late + duration) * rate), count - 1), np.nan)
    for onset, values in zip(onsets, signals, strict=True):
        at = round((onset - late) * rate)
        grid[at : at + len(values)] = values
    return ParsedEdf(text[192:197], text[168:184], columns[0], grid, annotations)


def samples_of(onset_s, late_s=0.0, rate=RATE_HZ):
    return round((onset_s - late_s) * rate)


def beats_of(annotations, late_s=0.0):
    """Beats among (onset, duration, text)."""
    return [(samples_of(o, late_s), t) for o, _, t in annotations if re.fullmatch("[NVSFQU]", t)]
