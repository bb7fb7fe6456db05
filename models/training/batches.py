"""Random, disturbed crops: what the network is trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.training import splits
from models.training.architecture import QRS_DELAY_S, RATE_HZ
from models.training.data import Floats, Ints, Recording
from models.training.disturb import GOOD_DB, POOR_DB, Disturber
from models.training.synthetic import fibrillation, flutter, tachycardia

__all__ = ["Batch", "Sampler"]

_STRETCH = 0.15
_SYNTHETIC = 0.2  # fraction of the crops of supraventricular recordings
_MAKERS = ((fibrillation, 1), (flutter, 1), (tachycardia, 0))
_CROPS_OF = {"cinc2017": 11, "mitdb": 13, "vfdb": 5, "rendered": 3}
_QRS_SD_S = 0.02
_DOUBT_S = 0.2
_RHYTHM_DB, _VENTRICULAR_DB = 3.0, 3.0  # in more noise these are not taught


@dataclass(frozen=True)
class Batch:
    """Crops of whole seconds.

    signal: (crops, samples) in microvolts. valid: (crops, seconds), 0 where the crop is
    padding. rhythm, ventricular, quality: (crops, seconds). qrs: (crops, samples), a bump of
    height 1 QRS_DELAY_S after each R peak; qrs_weight: (crops, samples), 0 where that is
    unknown.
    """

    signal: Floats
    valid: Floats
    rhythm: Ints
    ventricular: Ints
    quality: Ints
    qrs: Floats
    qrs_weight: Floats


class Sampler:
    """Draws batches from the training parts of all sources.

    leave_out: one of `splits.LEAVE_OUT`.
    """

    def __init__(
        self,
        recordings: list[Recording],
        seed: int,
        leave_out: str = "nothing",
    ) -> None:
        self._rng = np.random.default_rng(seed)
        noise = {r.name: r.signal for r in recordings if r.source == "nstdb"}
        self._disturb = Disturber(noise, self._rng)
        kept = [r for r in recordings if not splits.is_left_out(leave_out, r.source, r.name)]
        self._pools = _pools(kept)

    def draw(self, seconds: int) -> Batch:
        """One batch of crops that last `seconds`."""
        crops = [
            self._crop(pool[self._rng.integers(len(pool))], seconds)
            for source, pool in self._pools.items()
            for _ in range(_CROPS_OF[source])
        ]
        return Batch(*(np.stack(column) for column in zip(*crops, strict=True)))

    def pairs(self, count: int, seconds: int) -> tuple[Floats, Floats]:
        """Unlabelled: two crops each of `count` different recordings, all disturbed."""
        every = [r for pool in self._pools.values() for r in pool]
        chosen = self._rng.choice(len(every), count, replace=False)
        first, second = (
            np.stack([self._crop(every[k], seconds)[0] for k in chosen]) for _ in range(2)
        )
        return first, second

    def _crop(self, recording: Recording, seconds: int) -> tuple[NDArray[np.generic], ...]:
        """One crop, stretched in time, with its labels, disturbed; the fields of a Batch."""
        stretch = 1 + self._rng.uniform(-_STRETCH, _STRETCH)
        start_s = self._start(recording, seconds * stretch)
        signal = self._resample(recording, start_s, stretch, seconds)
        middle_s = np.floor(start_s + (np.arange(seconds) + 0.5) * stretch).astype(int)
        valid = (middle_s >= 0) & (middle_s < recording.seconds)
        index = np.clip(middle_s, 0, recording.seconds - 1)
        rhythm = np.where(valid, recording.rhythm[index], splits.IGNORE)
        ventricular = np.where(valid, recording.ventricular[index], splits.IGNORE)
        qrs, weight = _qrs_of(recording, start_s, stretch, seconds)
        weight *= np.repeat(valid & (ventricular != 1) & (rhythm != 3), RATE_HZ)
        if recording.source in ("cinc2017", "mitdb") and self._rng.random() < _SYNTHETIC:
            self._strike(signal, rhythm, ventricular, weight)
        signal, snr_db = self._disturb(signal)
        quality = np.select([snr_db >= GOOD_DB, snr_db >= POOR_DB], [0, 1], 2)
        quality = np.where(valid & (rhythm != 3), quality, splits.IGNORE)
        noisy = np.minimum.accumulate(snr_db)
        rhythm = np.where(noisy < _RHYTHM_DB, splits.IGNORE, rhythm)
        ventricular = np.where(
            (snr_db < _VENTRICULAR_DB) & (ventricular < 2), splits.IGNORE, ventricular
        )
        return signal, valid.astype(np.float32), rhythm, ventricular, quality, qrs, weight

    def _resample(
        self, recording: Recording, start_s: float, stretch: float, seconds: int
    ) -> Floats:
        """Samples of one lead, `stretch` times as far apart; the first lead most often."""
        lead = 0 if self._rng.random() < 0.5 else self._rng.integers(len(recording.signal))
        at = start_s * RATE_HZ + np.arange(seconds * RATE_HZ) * stretch
        first = max(0, int(at[0]))
        piece = recording.signal[lead, first : int(at[-1]) + 2]
        moved = np.interp(at - first, np.arange(len(piece)), piece, left=0, right=0)
        return np.asarray(moved, np.float32)

    def _strike(self, signal: Floats, rhythm: Ints, ventricular: Ints, weight: Floats) -> None:
        """Let a made-up ventricular rhythm break in, in place, for 3 seconds or longer."""
        samples = len(signal)
        start = int(self._rng.integers(samples - 3 * RATE_HZ))
        stop = int(self._rng.integers(start + 3 * RATE_HZ, samples + 1))
        maker, label = _MAKERS[self._rng.integers(len(_MAKERS))]
        signal[start:stop] = 0.05 * signal[start:stop] + maker(self._rng, stop - start, RATE_HZ)
        first, last = start // RATE_HZ, -(-stop // RATE_HZ)
        rhythm[first:] = splits.IGNORE
        ventricular[first:last] = splits.IGNORE
        ventricular[-(-start // RATE_HZ) : stop // RATE_HZ] = label
        weight[start : stop + 2 * round(QRS_DELAY_S * RATE_HZ)] = 0.0

    def _start(self, recording: Recording, span_s: float) -> float:
        """A start in seconds; half of the crops of long records are aimed at what is rare."""
        spare_s = recording.seconds - span_s
        if spare_s <= 0:
            return spare_s  # padded in front, so that the crop ends with the recording
        if recording.source != "cinc2017" and self._rng.random() < 0.5:
            rare_s = _rare(recording)
            if len(rare_s):
                aim = rare_s[self._rng.integers(len(rare_s))] - self._rng.uniform(0.2, 1) * span_s
                return float(np.clip(aim, 0, spare_s))
        return float(self._rng.uniform(0, spare_s))


def _pools(recordings: list[Recording]) -> dict[str, list[Recording]]:
    """The recordings of each source that may be trained on."""
    pools = {
        "cinc2017": [
            r
            for r in recordings
            if r.source == "cinc2017" and not splits.is_cinc_dev(r.name) and r.seconds
        ],
        "mitdb": [r for r in recordings if r.source == "mitdb" and r.name in splits.MITDB_TRAIN],
        "vfdb": [
            r
            for r in recordings
            if r.source == "vfdb" and r.name in splits.VFDB_TRAIN
            for _ in range(2 if (r.ventricular == 1).any() else 1)  # VF is rare
        ],
        "rendered": [r for r in recordings if r.source == "rendered"],
    }
    return {source: pool for source, pool in pools.items() if pool}


def _rare(recording: Recording) -> NDArray[np.float64]:
    """Times in seconds of ectopic beats, or of VT and VF."""
    if recording.source in ("mitdb", "rendered"):
        return recording.beat_s[recording.beat_class > 0]
    return np.flatnonzero(np.isin(recording.ventricular, (0, 1))).astype(np.float64)


def _qrs_of(
    recording: Recording, start_s: float, stretch: float, seconds: int
) -> tuple[Floats, Floats]:
    """Bumps QRS_DELAY_S after each beat, and the weight of each sample."""
    grid_s = np.arange(seconds * RATE_HZ) / RATE_HZ
    qrs = np.zeros(len(grid_s), np.float32)
    for at_s in _moved(recording.beat_s, start_s, stretch, seconds):
        near = slice(*np.searchsorted(grid_s, (at_s - 0.1, at_s + 0.1)))
        bump = np.exp(-(((grid_s[near] - at_s) / _QRS_SD_S) ** 2) / 2)
        qrs[near] = np.maximum(qrs[near], bump)
    weight = np.ones(len(grid_s), np.float32)
    for at_s in _moved(recording.doubt_s, start_s, stretch, seconds):
        weight[slice(*np.searchsorted(grid_s, (at_s - _DOUBT_S, at_s + _DOUBT_S)))] = 0.0
    return qrs, weight


def _moved(
    times_s: NDArray[np.float64], start_s: float, stretch: float, seconds: int
) -> NDArray[np.float64]:
    """Times of the recording in the crop, QRS_DELAY_S late; only those in or near it."""
    moved = (times_s - start_s) / stretch + QRS_DELAY_S
    return np.asarray(moved[(moved > -1) & (moved < seconds + 1)])
