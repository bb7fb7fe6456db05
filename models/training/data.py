"""Recordings to arrays: read, condition as the runtime does, resample, cache, crop, disturb.

`python -m models.training.data --data DIR --cache FILE` writes the cache that training and
evaluation read: every recording at 128 Hz in microvolts, with its labels on a grid of 1 s.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfilt, sosfilt_zi

from models.training import splits
from models.training.architecture import RATE_HZ

__all__ = ["HIGH_PASS_HZ", "LOW_PASS_HZ", "Recording", "load_cache", "main", "read_all_caches"]

HIGH_PASS_HZ = 0.5
LOW_PASS_HZ = 40.0
_CINC_RATE_HZ = 300

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Recording:
    """One recording at RATE_HZ.

    signal: microvolts, shape (leads, samples). beat_s, beat_class: time of each R peak in
    seconds and its index in BEAT_CLASSES, IGNORE where unknown. doubt_s: times at which there
    may or may not be a beat. rhythm, ventricular: label of each whole second, IGNORE where
    unknown.
    """

    source: str
    name: str
    signal: Floats
    beat_s: NDArray[np.float64]
    beat_class: Ints
    rhythm: Ints
    ventricular: Ints
    doubt_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    @property
    def seconds(self) -> int:
        """Whole seconds in the recording."""
        return len(self.rhythm)


def condition(signal: NDArray[np.float64], rate_hz: int) -> Floats:
    """Causal 0.5 Hz high-pass and 40 Hz low-pass (Butterworth, order 2), then RATE_HZ."""
    sos = np.vstack(
        [
            butter(2, HIGH_PASS_HZ, "highpass", fs=rate_hz, output="sos"),
            butter(2, LOW_PASS_HZ, "lowpass", fs=rate_hz, output="sos"),
        ]
    )
    start = sosfilt_zi(sos)[:, None, :] * signal[None, :, :1]
    filtered, _ = sosfilt(sos, signal, axis=1, zi=start)
    common = math.gcd(RATE_HZ, rate_hz)
    resampled = resample_poly(filtered, RATE_HZ // common, rate_hz // common, axis=1)
    return np.asarray(np.clip(resampled, -30_000, 30_000), np.float32)


def read_wfdb(path: Path, source: str) -> Recording:
    """A record of mitdb or vfdb with its beat and rhythm annotations."""
    record = wfdb.rdrecord(str(path))
    notes = wfdb.rdann(str(path), "atr")
    rate_hz = round(record.fs)
    signal = condition(np.nan_to_num(record.p_signal.T) * 1000.0, rate_hz)
    seconds = signal.shape[1] // RATE_HZ
    is_beat = [s in splits.BEAT_OF_SYMBOL for s in notes.symbol]
    beats = [splits.BEAT_OF_SYMBOL[s] for s in notes.symbol if s in splits.BEAT_OF_SYMBOL]
    return Recording(
        source=source,
        name=path.name,
        signal=signal,
        beat_s=notes.sample[np.array(is_beat)] / record.fs,
        beat_class=np.array(beats, np.int64),
        rhythm=_seconds_of(notes, seconds, splits.RHYTHM_OF_AUX, splits.IGNORE),
        ventricular=_seconds_of(notes, seconds, splits.VENTRICULAR_OF_AUX, 2),
    )


def _seconds_of(notes: wfdb.Annotation, seconds: int, table: dict[str, int], rest: int) -> Ints:
    """The label of each second; IGNORE in seconds in which the label changes."""
    labels = np.full(seconds, splits.IGNORE, np.int64)
    changes = [
        (sample / notes.fs, aux.strip("\x00"))
        for sample, aux in zip(notes.sample, notes.aux_note, strict=True)
        if aux.startswith("(")
    ]
    ends = [at_s for at_s, _ in changes[1:]] + [float(seconds)]
    for (start_s, aux), end_s in zip(changes, ends, strict=True):
        labels[math.ceil(start_s) : max(0, math.floor(end_s))] = table.get(aux, rest)
    return labels


def read_cinc(folder: Path) -> Iterator[Recording]:
    """The recordings of CinC 2017, one label each (MATLAB 4 files, int16 after 24 bytes)."""
    for line in (folder / "REFERENCE-v3.csv").read_text().split():
        name, label = line.split(",")
        raw = np.fromfile(folder / f"{name}.mat", "<i2", offset=24).astype(np.float64)
        signal = condition(raw[None], _CINC_RATE_HZ)
        seconds = signal.shape[1] // RATE_HZ
        yield Recording(
            source="cinc2017",
            name=name,
            signal=signal,
            beat_s=np.empty(0),
            beat_class=np.empty(0, np.int64),
            rhythm=np.full(seconds, splits.CINC_LABELS[label], np.int64),
            ventricular=np.full(seconds, 2, np.int64),
        )


def read_noise(path: Path) -> Recording:
    """The first half of a noise record of nstdb; the second is left for tests."""
    record = wfdb.rdrecord(str(path), sampto=wfdb.rdheader(str(path)).sig_len // 2)
    signal = condition(np.nan_to_num(record.p_signal.T) * 1000.0, round(record.fs))
    none = np.empty(0, np.int64)
    return Recording("nstdb", path.name, signal, np.empty(0), none, none, none)


def _read_all(data: Path, cinc: Path) -> Iterator[Recording]:
    for name in splits.MITDB_TRAIN + splits.MITDB_DS2:
        yield read_wfdb(data / "mitdb" / name, "mitdb")
    for name in splits.VFDB_TRAIN + splits.VFDB_TEST:
        yield read_wfdb(data / "vfdb" / name, "vfdb")
    for name in ("bw", "em", "ma"):
        yield read_noise(data / "nstdb" / name)
    yield from read_cinc(cinc)


def save_cache(path: Path, recordings: list[Recording]) -> None:
    """Write all recordings into one file of plain arrays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[np.generic]] = {}
    for r in recordings:
        key = f"{r.source}/{r.name}/"
        arrays[key + "signal"] = np.round(r.signal).astype(np.int16)
        arrays[key + "beat_s"] = r.beat_s
        arrays[key + "beat_class"] = r.beat_class.astype(np.int8)
        arrays[key + "rhythm"] = r.rhythm.astype(np.int8)
        arrays[key + "ventricular"] = r.ventricular.astype(np.int8)
    np.savez(path, **arrays)  # type: ignore[arg-type]


def load_cache(path: Path) -> list[Recording]:
    """Read what `save_cache` wrote."""
    with np.load(path, allow_pickle=False) as store:
        names = dict.fromkeys(key.rsplit("/", 1)[0] for key in store.files)
        return [
            Recording(
                source=name.split("/")[0],
                name=name.split("/")[1],
                signal=store[f"{name}/signal"].astype(np.float32),
                beat_s=store[f"{name}/beat_s"],
                beat_class=store[f"{name}/beat_class"].astype(np.int64),
                rhythm=store[f"{name}/rhythm"].astype(np.int64),
                ventricular=store[f"{name}/ventricular"].astype(np.int64),
            )
            for name in names
        ]


def read_all_caches(folder: Path) -> list[Recording]:
    """Every recording in `training.npz`, with the beats of `consensus.npz`, and those of
    `rendered.npz` where that is there."""
    recordings = _with_consensus(load_cache(folder / "training.npz"), folder / "consensus.npz")
    rendered = folder / "rendered.npz"
    return recordings + (load_cache(rendered) if rendered.exists() else [])


def _with_consensus(recordings: list[Recording], path: Path) -> list[Recording]:
    """The recordings without annotated beats get those that `consensus` found."""
    with np.load(path, allow_pickle=False) as store:
        names = {key.rsplit("/", 1)[0] for key in store.files}
        return [
            _with_beats(r, store[f"{r.source}/{r.name}/both"], store[f"{r.source}/{r.name}/alone"])
            if f"{r.source}/{r.name}" in names
            else r
            for r in recordings
        ]


def _with_beats(
    recording: Recording, both_s: NDArray[np.float64], alone_s: NDArray[np.float64]
) -> Recording:
    unknown = np.full(len(both_s), splits.IGNORE, np.int64)
    return replace(recording, beat_s=both_s, beat_class=unknown, doubt_s=alone_s)


def main(argv: list[str] | None = None) -> None:
    """Build the cache."""
    parser = argparse.ArgumentParser(prog="python -m models.training.data", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with mitdb, vfdb, nstdb")
    parser.add_argument("--cinc", type=Path, required=True, help="folder with CinC 2017")
    parser.add_argument("--cache", type=Path, default=Path(".data/training.npz"))
    options = parser.parse_args(argv)
    recordings = list(_read_all(options.data, options.cinc))
    save_cache(options.cache, recordings)
    print(f"{len(recordings)} recordings in {options.cache}")


if __name__ == "__main__":
    main()
