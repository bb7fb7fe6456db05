"""Random, disturbed crops: what the network is trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.training import splits
from models.training.architecture import RATE_HZ
from models.training.data import Floats, Ints, Recording
from models.training.synthetic import fibrillation, flutter, tachycardia

__all__ = ["Batch", "Sampler"]

_JITTER_S = 0.03  # uncertainty of a detected R peak
_STRETCH = 0.1
_SYNTHETIC = 0.2  # fraction of the crops of supraventricular recordings
_MAKERS = ((fibrillation, 1), (flutter, 1), (tachycardia, 0))
_CROPS_OF = {"cinc2017": 16, "mitdb": 8, "vfdb": 8}


@dataclass(frozen=True)
class Batch:
    """Crops of whole seconds.

    signal: (crops, samples) in microvolts. valid: (crops, seconds), 0 where the crop is
    padding. rhythm, ventricular: (crops, seconds). beats: (crops, frames), the class of a
    beat seen in that frame; has_beats: (crops,), whether beats were annotated at all.
    """

    signal: Floats
    valid: Floats
    rhythm: Ints
    ventricular: Ints
    beats: Ints
    has_beats: NDArray[np.bool_]


class Sampler:
    """Draws batches from the training parts of all sources."""

    def __init__(
        self, recordings: list[Recording], frame_rate_hz: int, delay_s: float, seed: int
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self._frame_rate_hz = frame_rate_hz
        self._delay_s = delay_s
        self._noise = [r.signal for r in recordings if r.source == "nstdb"]
        self._pools = {
            "cinc2017": [
                r
                for r in recordings
                if r.source == "cinc2017" and not splits.is_cinc_dev(r.name) and r.seconds
            ],
            "mitdb": [r for r in recordings if r.name in splits.MITDB_TRAIN],
            "vfdb": [
                r
                for r in recordings
                if r.name in splits.VFDB_TRAIN
                for _ in range(2 if (r.ventricular == 1).any() else 1)  # VF is rare
            ],
        }

    def draw(self, seconds: int) -> Batch:
        """One batch of crops that last `seconds`."""
        crops = [
            self._crop(pool[self._rng.integers(len(pool))], seconds)
            for source, pool in self._pools.items()
            for _ in range(_CROPS_OF[source])
        ]
        return Batch(*(np.stack(column) for column in zip(*crops, strict=True)))

    def _crop(
        self, recording: Recording, seconds: int
    ) -> tuple[Floats, Floats, Ints, Ints, Ints, NDArray[np.bool_]]:
        """One crop, stretched in time, with its labels, disturbed."""
        stretch = 1 + self._rng.uniform(-_STRETCH, _STRETCH)
        start_s = self._start(recording, seconds * stretch)
        signal = self._resample(recording, start_s, stretch, seconds)
        middle_s = np.floor(start_s + (np.arange(seconds) + 0.5) * stretch).astype(int)
        valid = (middle_s >= 0) & (middle_s < recording.seconds)
        index = np.clip(middle_s, 0, recording.seconds - 1)
        rhythm = np.where(valid, recording.rhythm[index], splits.IGNORE)
        ventricular = np.where(valid, recording.ventricular[index], splits.IGNORE)
        beats = self._beat_frames(recording, start_s, stretch, seconds)
        if recording.source != "vfdb" and self._rng.random() < _SYNTHETIC:
            self._strike(signal, rhythm, ventricular, beats)
        has_beats = np.array(recording.source == "mitdb")
        return (
            self._disturb(signal),
            valid.astype(np.float32),
            rhythm,
            ventricular,
            beats,
            has_beats,
        )

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

    def _strike(self, signal: Floats, rhythm: Ints, ventricular: Ints, beats: Ints) -> None:
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
        delay = round(self._delay_s * self._frame_rate_hz)
        beats[first * self._frame_rate_hz : last * self._frame_rate_hz + delay] = splits.IGNORE

    def _start(self, recording: Recording, span_s: float) -> float:
        """A start in seconds; half of the crops of long records are aimed at what is rare."""
        spare_s = recording.seconds - span_s
        if spare_s <= 0:
            return spare_s  # padded in front, so that the crop ends with the recording
        if recording.source != "cinc2017" and self._rng.random() < 0.5:
            rare_s = self._rare(recording)
            if len(rare_s):
                aim = rare_s[self._rng.integers(len(rare_s))] - self._rng.uniform(0.2, 1) * span_s
                return float(np.clip(aim, 0, spare_s))
        return float(self._rng.uniform(0, spare_s))

    @staticmethod
    def _rare(recording: Recording) -> NDArray[np.float64]:
        if recording.source == "mitdb":
            return recording.beat_s[recording.beat_class > 0]
        return np.flatnonzero(np.isin(recording.ventricular, (0, 1))).astype(np.float64)

    def _beat_frames(
        self, recording: Recording, start_s: float, stretch: float, seconds: int
    ) -> Ints:
        """The class of each beat, `delay_s` after its R peak."""
        frames = np.full(seconds * self._frame_rate_hz, splits.IGNORE, np.int64)
        at_s = (recording.beat_s - start_s) / stretch + self._delay_s
        at_s = at_s + self._rng.uniform(-_JITTER_S, _JITTER_S, len(at_s))
        index = np.floor(at_s * self._frame_rate_hz).astype(int)
        inside = (index >= 0) & (index < len(frames))
        frames[index[inside]] = recording.beat_class[inside]
        return frames

    def _disturb(self, signal: Floats) -> Floats:
        """Gain, polarity, recorded noise, wander and lost contact."""
        rng = self._rng
        signal = signal * np.float32(np.exp(rng.normal(0, 0.4)) * rng.choice((-1, 1)))
        if rng.random() < 0.5:
            signal = signal + self._recorded_noise(signal)
        if rng.random() < 0.3:
            cycles = rng.uniform(0, 1) + rng.uniform(0.1, 0.6) * np.arange(len(signal)) / RATE_HZ
            level = np.std(signal) * rng.uniform(0, 0.7)
            signal = signal + np.float32(level * np.sin(2 * np.pi * cycles))
        if rng.random() < 0.1:
            length = int(rng.integers(RATE_HZ // 4, 2 * RATE_HZ))
            start = int(rng.integers(len(signal) - length))
            signal[start : start + length] = 0.0
        return signal

    def _recorded_noise(self, signal: Floats) -> Floats:
        """A stretch of nstdb, 3 to 24 dB below the signal's power."""
        noise = self._noise[self._rng.integers(len(self._noise))]
        lead = noise[self._rng.integers(len(noise))]
        start = self._rng.integers(len(lead) - len(signal))
        piece = lead[start : start + len(signal)]
        gain = np.std(signal) / max(1.0, float(np.std(piece)))
        fraction = 10 ** (-self._rng.uniform(3, 24) / 20)
        return np.asarray(piece * (gain * fraction), np.float32)
