"""One patient's signal as people look at it: filtered, at display rate, the newest seconds kept.

Pure; runs in the page's thread, so that the engine's pays nothing for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from edge.condition import Conditioner
from edge.config import Signal
from edge.segment import Segment
from edge.view.wire import MISSING, SCALE_UV, gap_record, sample_records
from firmware_bridge.stream import Chunk, Gap, StreamFormat, TimelineEvent

__all__ = ["DisplayFormat", "Trace"]

RATE_LEAST_HZ = 250.0
"""A faster signal is thinned to no less than this: 4 ms, a tenth of a millimetre of paper."""
LOWPASS_OF_RATE = 0.4
KEPT_S = 30.0
LEADS_MAX = 3


@dataclass(frozen=True, slots=True)
class DisplayFormat:
    """What a viewer must know to place samples: sample k was taken at
    `origin_ms + k * 1000 / rate_hz` of stream time.
    """

    number: int
    rate_hz: float
    leads: tuple[str, ...]
    origin_ms: float


class Trace:
    """Turns chunks and gaps into records for viewers.

    patient: its number among those shown. Only the first three leads are shown.
    """

    def __init__(self, patient: int, signal: Signal) -> None:
        self._patient = patient
        self._signal = signal
        self._number = -1
        self._source: StreamFormat | None = None
        self._factor = 1
        self._conditioner: Conditioner | None = None
        self._kept: deque[tuple[int, bytes]] = deque()
        self._kept_samples = 0
        self.format: DisplayFormat | None = None

    @property
    def recent(self) -> list[bytes]:
        """Records of the last 30 s or, of a block, some more; oldest first."""
        return [record for _, record in self._kept]

    def take(self, events: Iterable[TimelineEvent], segment: Segment) -> list[bytes]:
        """The records of the samples that are new. segment: places them in stream time."""
        records: list[bytes] = []
        placed = [each for each in events if isinstance(each, Chunk | Gap)]
        for form, group in groupby(placed, key=lambda each: each.format):
            if form != segment.format:  # of a format that is over: nothing places it any more
                continue
            if form is not self._source and form != self._source:
                self._begin(form, segment)
            for event in self._joined(group):
                records += self._records(event)
        return records

    def _begin(self, form: StreamFormat, segment: Segment) -> None:
        self._source = form
        self._factor = max(1, int(form.rate_hz // RATE_LEAST_HZ))
        rate_hz = form.rate_hz / self._factor
        self._conditioner = Conditioner(
            form.rate_hz,
            min(len(form.leads), LEADS_MAX),
            highpass_hz=self._signal.highpass_hz,
            lowpass_hz=min(self._signal.lowpass_hz, LOWPASS_OF_RATE * rate_hz),
            mains_hz=self._signal.mains_hz or None,
        )
        self._number = (self._number + 1) % 256
        self._kept.clear()
        self._kept_samples = 0
        origin_ms = segment.time_ns(0) / 1e6 - self._conditioner.delay_s * 1000
        leads = form.leads[:LEADS_MAX]
        self.format = DisplayFormat(self._number, rate_hz, leads, round(origin_ms, 3))

    def _joined(self, events: Iterable[Chunk | Gap]) -> Iterator[Gap | _Run]:
        """Chunks in a row as one run: a call of the filter costs more than its work."""
        run: list[Chunk] = []
        for event in events:
            if isinstance(event, Gap):
                if run:
                    yield _run(run)
                    run = []
                yield event
            elif run and (event.start, event.lead_off) != (run[-1].stop, run[-1].lead_off):
                yield _run(run)
                run = [event]
            else:
                run.append(event)
        if run:
            yield _run(run)

    def _records(self, event: Gap | _Run) -> list[bytes]:
        conditioner = self._conditioner
        assert conditioner is not None
        first = -(-event.start // self._factor)
        if isinstance(event, Gap):
            if event.length > self._signal.bridge_ms / 1000 * event.format.rate_hz:
                conditioner.reset()
            count = -(-(event.start + event.length) // self._factor) - first
            record = gap_record(self._patient, self._number, _u32(first), count, event.cause)
            return self._keep(count, [record])
        filtered = conditioner.process(event.samples_uv[:, :LEADS_MAX])
        shown = _as_int16(filtered[first * self._factor - event.start :: self._factor])
        records = sample_records(
            self._patient, self._number, _u32(first), event.lead_off & 0xFFFFFFFF, shown
        )
        return self._keep(len(shown), list(records))

    def _keep(self, count: int, records: list[bytes]) -> list[bytes]:
        if not self.format or not records:
            return records
        share = count // len(records)
        self._kept.extend((share, record) for record in records)
        self._kept_samples += share * len(records)
        while self._kept_samples - self._kept[0][0] >= KEPT_S * self.format.rate_hz:
            self._kept_samples -= self._kept.popleft()[0]
        return records


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """Samples in a row, float32 (samples, leads), microvolts."""

    start: int
    samples_uv: NDArray[np.float32]
    lead_off: int


def _run(chunks: list[Chunk]) -> _Run:
    samples_uv = np.concatenate([chunk.samples_uv for chunk in chunks])
    return _Run(chunks[0].start, samples_uv, chunks[0].lead_off)


def _as_int16(samples_uv: NDArray[np.float32]) -> NDArray[np.int16]:
    limit = -MISSING - 1
    steps: NDArray[np.int16] = np.clip(np.rint(samples_uv / SCALE_UV), -limit, limit).astype("i2")
    return steps


def _u32(index: int) -> int:
    return index & 0xFFFFFFFF
