"""Sequences of beats to train the beat stage on, from four sources, in one cache.

`python -m models.training.beat_data --run DIR` runs the trunk of that run over
- mitdb DS1 without 207, both leads, as recorded and disturbed in several ways,
- ECG rendered from the beat sequences of arrdb,
- the training part of CinC 2017 (rhythm of whole recordings),
and takes from arrdb and ltafdb, which have no signal, the timing of the beats alone.
Beats are those that the trunk finds; the class of one that no true beat is near is not taught.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from models.beat_token import RR_WIDTH, tokens_of
from models.training import splits
from models.training.architecture import RATE_HZ, SIZES
from models.training.beat_features import Listener, nearest
from models.training.data import Recording, read_all_caches
from models.training.disturb import Disturber
from models.training.train import finished_model

__all__ = ["BeatSequence", "hear_all", "load_sequences", "main", "save_sequences"]

_VARIANTS = 4  # disturbed copies of each lead of mitdb
_STRETCH = 0.15
_PIECE_S = 30
_DISTURBED = 0.4  # of the pieces
_LONG = 1024  # beats; day-long records are cut into such pieces,
_STRIDE = 4096  # that begin so far apart
_JITTER_S = 0.01
_SHORTEST_S = 5
_LOST = 0.003

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Seconds = NDArray[np.float64]


@dataclass(frozen=True)
class BeatSequence:
    """Consecutive beats of one patient.

    tokens: (beats, width) or, where there is no signal, (beats, RR_WIDTH), float16. peak_s:
    (beats,). beats, rhythm: (beats,) int8, indices into BEAT_CLASSES and RHYTHMS, IGNORE where
    unknown.
    """

    source: str
    patient: str
    variant: str
    tokens: NDArray[np.float16]
    peak_s: NDArray[np.float32]
    beats: NDArray[np.int8]
    rhythm: NDArray[np.int8]

    @property
    def fold(self) -> int:
        """0 to 99, the same for all sequences of a patient."""
        return zlib.crc32(self.patient.encode()) % 100


def _sequence(
    source: str,
    patient: str,
    variant: str,
    peak_s: Seconds,
    windows_uv: Floats | None,
    beats: Ints,
    rhythm: Ints,
) -> BeatSequence:
    return BeatSequence(
        source,
        patient,
        variant,
        np.clip(tokens_of(peak_s, windows_uv), -6e4, 6e4).astype(np.float16),
        peak_s.astype(np.float32),
        beats.astype(np.int8),
        rhythm.astype(np.int8),
    )


def _heard(
    recording: Recording, signal: Floats, stretch: float, listener: Listener, variant: str
) -> BeatSequence:
    """What the trunk finds in a signal of the recording, `stretch` times as fast, labelled."""
    heard = listener(signal)
    at_s = heard.peak_s * stretch
    match = nearest(at_s, recording.beat_s)
    beats = np.full(len(at_s), splits.IGNORE, np.int64)
    beats[match >= 0] = recording.beat_class[match[match >= 0]]
    second = np.clip(at_s.astype(int), 0, recording.seconds - 1)
    patient = recording.name.split("-")[0]  # of a rendered recording: the patient of arrdb
    return _sequence(
        recording.source,
        patient,
        variant,
        heard.peak_s,
        heard.windows_uv,
        beats,
        recording.rhythm[second],
    )


def hear_all(recordings: list[Recording], listener: Listener, seed: int) -> Iterator[BeatSequence]:
    """Every sequence with a signal that may be trained on."""
    rng = np.random.default_rng(seed)
    disturb = Disturber({r.name: r.signal for r in recordings if r.source == "nstdb"}, rng)
    for recording in track(recordings, "trunk"):
        if recording.source == "mitdb" and recording.name in splits.MITDB_TRAIN:
            for lead, signal in enumerate(recording.signal):
                yield _heard(recording, signal, 1.0, listener, f"{lead}")
                for k in range(_VARIANTS):
                    stretch = float(rng.uniform(1 - _STRETCH, 1 + _STRETCH))
                    other = _disturbed(_stretched(signal, stretch), disturb, rng)
                    yield _heard(recording, other, stretch, listener, f"{lead}-{k}")
        elif recording.source == "rendered":
            lead = int(rng.integers(len(recording.signal)))
            other = _disturbed(recording.signal[lead], disturb, rng)
            yield _heard(recording, other, 1.0, listener, "0")
        elif (
            recording.source == "cinc2017"
            and recording.seconds >= _SHORTEST_S
            and not splits.is_cinc_dev(recording.name)
        ):
            no_beats = _without_beats(recording)
            yield _heard(no_beats, recording.signal[0], 1.0, listener, "0")
            yield _heard(no_beats, -recording.signal[0], 1.0, listener, "flipped")


def _without_beats(recording: Recording) -> Recording:
    """Without beats of unknown class, so that none has to be near those that are found."""
    return replace(recording, beat_s=np.empty(0), beat_class=np.empty(0, np.int64))


def _stretched(signal: Floats, stretch: float) -> Floats:
    """The signal `stretch` times as fast."""
    at = np.arange(0, len(signal) - 1, stretch)
    return np.asarray(np.interp(at, np.arange(len(signal)), signal), np.float32)


def _disturbed(signal: Floats, disturb: Disturber, rng: np.random.Generator) -> Floats:
    """Half of its pieces disturbed; all of it upside down or not."""
    whole = signal * np.float32(rng.choice((-1, 1)))
    length = _PIECE_S * RATE_HZ
    for first in range(0, len(whole) - length, length):
        if rng.random() < _DISTURBED:
            piece = whole[first : first + length]
            noisy, _ = disturb(piece)
            upright = -1 if float(np.dot(piece, noisy)) < 0 else 1  # leads do not swap midway
            whole[first : first + length] = upright * noisy
    return whole


def timing_only(path: Path, seed: int) -> Iterator[BeatSequence]:
    """The beats of arrdb and ltafdb: as they are, and with jitter and some beats lost."""
    rng = np.random.default_rng(seed)
    with np.load(path, allow_pickle=False) as store:
        names = dict.fromkeys(key.rsplit("/", 1)[0] for key in store.files)
        for name in track(list(names), "timing"):
            source, patient = name.split("/")
            peak_s = store[f"{name}/beat_s"]
            beats = store[f"{name}/beat_class"].astype(np.int64)
            rhythm = store[f"{name}/rhythm"].astype(np.int64)
            stop = len(peak_s) - _LONG if source == "ltafdb" else 1
            length = _LONG if source == "ltafdb" else len(peak_s)
            for first in range(0, stop, _STRIDE):
                part = slice(first, first + length)
                for variant in ("clean", "jittered"):
                    kept, at_s = _jittered(peak_s[part], rng, variant == "jittered")
                    yield _sequence(
                        source, patient, variant, at_s, None, beats[part][kept], rhythm[part][kept]
                    )


def _jittered(
    peak_s: Seconds, rng: np.random.Generator, jitter: bool
) -> tuple[NDArray[np.int64], Seconds]:
    """Indices of the beats that are kept, and their times."""
    kept = np.flatnonzero(rng.random(len(peak_s)) >= (_LOST if jitter else 0.0))
    at_s = peak_s[kept] + (rng.normal(0, _JITTER_S, len(kept)) if jitter else 0.0)
    later = np.concatenate([[True], np.diff(np.maximum.accumulate(at_s)) > 0.05])
    return kept[later], at_s[later]


def save_sequences(path: Path, sequences: list[BeatSequence]) -> None:
    """Write all sequences, end to end, into one file of plain arrays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shaped = [s.tokens[:, RR_WIDTH:] for s in sequences if s.tokens.shape[1] > RR_WIDTH]
    np.savez(
        path,
        name=np.array([f"{s.source}/{s.patient}/{s.variant}" for s in sequences]),
        length=np.array([len(s.beats) for s in sequences]),
        has_shape=np.array([s.tokens.shape[1] > RR_WIDTH for s in sequences]),
        timing=np.concatenate([s.tokens[:, :RR_WIDTH] for s in sequences]),
        shape=np.concatenate(shaped),
        peak_s=np.concatenate([s.peak_s for s in sequences]),
        beats=np.concatenate([s.beats for s in sequences]),
        rhythm=np.concatenate([s.rhythm for s in sequences]),
    )


def load_sequences(path: Path) -> list[BeatSequence]:
    """Read what `save_sequences` wrote."""
    with np.load(path, allow_pickle=False) as store:
        names, length, has_shape = store["name"], store["length"], store["has_shape"]
        columns = [store[key] for key in ("timing", "peak_s", "beats", "rhythm")]
        shape = store["shape"]
    stop, shape_stop = np.cumsum(length), np.cumsum(length * has_shape)
    sequences = []
    for k, name in enumerate(names):
        timing, peak_s, beats, rhythm = (c[stop[k] - length[k] : stop[k]] for c in columns)
        if has_shape[k]:
            part = shape[shape_stop[k] - length[k] : shape_stop[k]]
            timing = np.concatenate([timing, part], 1)
        source, patient, variant = str(name).split("/")
        sequences.append(BeatSequence(source, patient, variant, timing, peak_s, beats, rhythm))
    return sequences


def main(argv: list[str] | None = None) -> None:
    """Build the cache."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.beat_data",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--run", type=Path, default=Path(".runs/s"), help="of the trunk")
    parser.add_argument("--size", choices=tuple(SIZES), default="s")
    parser.add_argument("--cache", type=Path, default=Path(".data"), help="folder of the caches")
    parser.add_argument("--out", type=Path, default=Path(".data/beats-s.npz"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    trunk, _ = finished_model(options.run, options.size)
    recordings = read_all_caches(options.cache)
    sequences = list(hear_all(recordings, Listener(trunk), options.seed))
    sequences += timing_only(options.cache / "sequences.npz", options.seed)
    save_sequences(options.out, sequences)
    total = sum(len(s.beats) for s in sequences)
    print(f"{len(sequences)} sequences of {total} beats in {options.out}")


if __name__ == "__main__":
    main()
