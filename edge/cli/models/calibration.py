"""Hops for calibration: recordings through the very stages that an encoder hears them by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import UsageError
from edge.evaluate.folder import GROUPS, is_cinc
from edge.networks import Networks
from edge.pipeline import RATE_MAX_HZ, RATE_MIN_HZ
from edge.segment import Segment, SegmentSettings
from firmware_bridge.errors import SourceError
from firmware_bridge.records import Record, read_record
from firmware_bridge.stream import Chunk, Gap, StreamFormat
from models.errors import ModelError
from models.fusion import nothing_known
from models.manifest import Manifest
from models.quantisation import Hop, Stretch
from models.training import splits

__all__ = ["Calibration", "calibration"]

MOST_RECORDS = 40
HOPS_A_RECORD = 60
CHUNK_S = 0.1
SET_ASIDE = frozenset({*splits.MITDB_DS2, *splits.VFDB_TEST, *splits.MITDB_DS1}).difference(
    splits.MITDB_TRAIN
)


@dataclass(frozen=True, slots=True)
class Calibration:
    """records: heard, by name. set_aside: those of them that training sets aside for judging."""

    folder: Path
    records: tuple[str, ...]
    set_aside: tuple[str, ...]
    stretches: tuple[Stretch, ...]

    @property
    def hops(self) -> int:
        """Of all stretches."""
        return sum(map(len, self.stretches))


def calibration(manifest: Manifest, folder: Path, wanted: str | None) -> Calibration:
    """A minute from each of at most 40 recordings, evenly chosen.

    wanted: names, or ds1 and its like, separated by commas; None for all but those that are
    set aside for judging. UsageError, SourceError: no such recordings, or none that can be
    read. ModelError: they have too few leads, or say nothing.
    """
    names = _names(folder, wanted)
    chosen = _evenly(names, MOST_RECORDS)
    stretches: list[Stretch] = []
    for name in chosen:
        stretches += _stretches(manifest, folder / name)
    aside = tuple(name for name in chosen if _is_set_aside(folder, name))
    return Calibration(folder, tuple(chosen), aside, tuple(stretches))


def _names(folder: Path, wanted: str | None) -> list[str]:
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder")
    there = {path.stem for path in folder.glob("*.hea")}
    if not there:
        raise SourceError(f"{folder}: no recordings to calibrate on: no .hea file is there")
    if wanted is None:
        left = sorted(name for name in there if not _is_set_aside(folder, name))
        if not left:
            raise SourceError(
                f"{folder}: all its recordings are set aside for judging; calibrate on others"
            )
        return left
    words = [word.strip() for word in wanted.split(",")]
    names = sorted({name for word in words for name in GROUPS.get(word, (word,))})
    missing = [name for name in names if name not in there]
    if missing:
        raise UsageError(f"--records {missing[0]}: no such recording in {folder}")
    return names


def _is_set_aside(folder: Path, name: str) -> bool:
    if is_cinc(folder):
        return splits.is_cinc_dev(name)
    return name in SET_ASIDE


def _evenly(names: Sequence[str], most: int) -> list[str]:
    places = np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int)
    return [names[place] for place in places]


def _stretches(manifest: Manifest, path: Path) -> list[Stretch]:
    record = read_record(path)
    if not RATE_MIN_HZ <= record.rate_hz <= RATE_MAX_HZ:
        raise SourceError(
            f"{path}: {record.rate_hz:g} Hz; an ECG to calibrate on needs {RATE_MIN_HZ:g} to"
            f" {RATE_MAX_HZ:g} Hz"
        )
    if len(record.leads) < manifest.input.leads_min:
        raise ModelError(
            f"{path}: has {len(record.leads)} lead(s), bundle {manifest.name!r} needs"
            f" {manifest.input.leads_min}; calibrate on other recordings"
        )
    form = StreamFormat(record.rate_hz, record.leads)
    listener = _Listener(manifest, len(record.leads))
    segment = Segment(form, 0, 0, SegmentSettings(), Networks(listener))
    for event in _events(form, _minute(record, manifest.hop_s)):
        if isinstance(event, Chunk):
            segment.push(event)
        else:
            segment.gap(event)
    return [stretch for stretch in listener.stretches if stretch]


def _minute(record: Record, hop_s: float) -> NDArray[np.float32]:
    """The samples from a third of the recording on, NaN where invalid."""
    count = round(HOPS_A_RECORD * hop_s * record.rate_hz)
    start = max(0, min(len(record.digital) // 3, len(record.digital) - count))
    return record.samples_uv()[start : start + count]


def _events(form: StreamFormat, samples_uv: NDArray[np.float32]) -> Iterator[Chunk | Gap]:
    """Chunks of a packet's size; where a lead is invalid, nothing came."""
    step = max(1, round(CHUNK_S * form.rate_hz))
    valid = np.isfinite(samples_uv).all(axis=1)
    turns = np.flatnonzero(np.diff(valid)) + 1
    cuts = np.union1d(np.arange(step, len(samples_uv), step), turns)
    start = 0
    for piece in np.split(samples_uv, cuts):
        if len(piece) and np.isfinite(piece).all():
            yield Chunk(form, start, piece, host_time_ns=0)
        elif len(piece):
            yield Gap(form, start, len(piece), "loss")
        start += len(piece)


class _Listener:
    """An encoder that only notes what it is given. stretches: hops between resets."""

    def __init__(self, manifest: Manifest, leads: int) -> None:
        self.manifest = manifest
        self.providers: tuple[str, ...] = ()
        self.stretches: list[list[Hop]] = [[]]
        self._nothing = {output.name: nothing_known(output) for output in manifest.outputs}

    def step(
        self, samples: NDArray[np.float32], lead_weights: Sequence[float] | None = None
    ) -> Mapping[str, NDArray[np.float32]]:
        weights = (1.0,) * len(samples) if lead_weights is None else tuple(lead_weights)
        self.stretches[-1].append(Hop(samples.copy(), weights))
        return self._nothing

    def reset(self) -> None:
        self.stretches.append([])
