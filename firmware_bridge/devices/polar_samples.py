"""Movement and light of Polar's sensors: the samples of PMD frames, plain and compressed.

Source: polar-ble-sdk (polarofficial), the classes AccData and PpgData, and BlePMDClient for the
compression: a whole first sample, then blocks of differences, each block with its own width.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.devices.integers import int24_le
from firmware_bridge.devices.polar_pmd import ACC, PPG, SampleClock
from firmware_bridge.stream import Waveform

__all__ = ["WaveformStream", "delta_samples"]

COMPRESSED = 0x80
WIDEST_BITS = 32
WORD_BITS = 64
_WORD, _BEYOND = np.dtype("<i8"), bytes(8)  # a word can be read at every byte of a frame

ACC_CHANNELS = ("x", "y", "z")
PPG_CHANNELS = ("PPG0", "PPG1", "PPG2", "ambient")
ACC_COMPRESSED_BYTES, PPG_BYTES = 2, 3
G_PER_COUNT = 8 / 32768
"""Factor of a sensor that told none: 16 bits over its usual range of 8 g."""
MG_PER_G = 1000

Samples = NDArray[np.float32]


def delta_samples(content: bytes, channels: int, sample_bytes: int) -> NDArray[np.int64] | None:
    """Samples of a compressed frame, shape (samples, channels); None where it is damaged.

    content: a sample of `sample_bytes` signed bytes a channel, then blocks: width in bits (1 to
    32), number of samples, differences to the sample before. They are packed from the least
    significant bit on, the channels in turn, in two's complement; a block fills whole bytes.
    """
    size, at = len(content), channels * sample_bytes
    if size < at:
        return None
    words: NDArray[np.int64] = np.ndarray((size,), _WORD, content + _BEYOND, 0, (1,))
    start, bits, values = 0, 8 * sample_bytes, channels  # the first sample, as a block of its own
    parts = []
    while True:
        where, left = _places(bits, values)
        parts.append(words[start:][where] << left >> WORD_BITS - bits)  # carries the sign
        if at == size:
            break
        if at + 2 > size:
            return None
        bits, values = content[at], content[at + 1] * channels
        start, at = at + 2, at + 2 + (bits * values + 7) // 8
        if at > size or not 0 < bits <= WIDEST_BITS:
            return None
    samples = np.concatenate(parts).reshape(-1, channels)
    return np.add.accumulate(samples, axis=0, out=samples)


@lru_cache(maxsize=64)
def _places(bits: int, values: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The byte at which each packed value begins, and how far its last bit is from a word's."""
    first_bit = np.arange(values, dtype=np.int64) * bits
    return first_bit >> 3, WORD_BITS - bits - (first_bit & 7)


def _acc_mg(frame_type: int, content: bytes, factor: float | None) -> Samples | None:
    """Acceleration in mg; plain frames of type 0, 1, 2 hold integers of 1, 2, 3 bytes."""
    if frame_type in (0, 1, 2):
        return _plain(content, frame_type + 1, len(ACC_CHANNELS))
    if frame_type == COMPRESSED:
        scale = (factor or G_PER_COUNT) * MG_PER_G
    elif frame_type == COMPRESSED | 1:
        scale = factor or 1.0
    else:
        return None
    return _scaled(delta_samples(content, len(ACC_CHANNELS), ACC_COMPRESSED_BYTES), scale)


def _ppg(frame_type: int, content: bytes, factor: float | None) -> Samples | None:
    """Light in counts; only frames of type 0 are plain."""
    if frame_type == 0:
        return _plain(content, PPG_BYTES, len(PPG_CHANNELS))
    if frame_type not in (COMPRESSED, COMPRESSED | 1):
        return None
    return _scaled(delta_samples(content, len(PPG_CHANNELS), PPG_BYTES), factor or 1.0)


def _plain(content: bytes, value_bytes: int, channels: int) -> Samples | None:
    if not content or len(content) % (value_bytes * channels):
        return None
    if value_bytes == 3:
        return int24_le(content).reshape(-1, channels)
    return np.frombuffer(content, f"<i{value_bytes}").reshape(-1, channels).astype(np.float32)


def _scaled(samples: NDArray[np.int64] | None, scale: float) -> Samples | None:
    if samples is None:
        return None
    return samples.astype(np.float32) if scale == 1.0 else (samples * scale).astype(np.float32)


class WaveformStream:
    """One measurement of one sensor, frame by frame: `ACC` in mg or `PPG` in counts.

    rate_hz: nominal. factor: what compressed samples are multiplied by, as the sensor told.
    """

    def __init__(self, measurement: int, rate_hz: float) -> None:
        self._measurement = measurement
        self._decode: Callable[[int, bytes, float | None], Samples | None]
        self._decode = _acc_mg if measurement == ACC else _ppg
        self.factor: float | None = None
        self.set_rate(rate_hz)

    def set_rate(self, rate_hz: float) -> None:
        """Go on with another nominal rate, in hertz."""
        self._rate_hz = rate_hz
        self._clock = SampleClock(rate_hz)

    def reset(self) -> None:
        """Forget the clock of the former connection."""
        self._clock.reset()

    def read(self, last_ns: int, frame_type: int, content: bytes) -> Waveform | None:
        """The samples of one frame; None where it is damaged or of an unknown type."""
        samples = self._decode(frame_type, content, self.factor)
        if samples is None:
            return None
        first_ns = self._clock.first_ns(last_ns, len(samples))
        if self._measurement == PPG:
            return Waveform("ppg", "count", PPG_CHANNELS, self._rate_hz, samples, first_ns)
        return Waveform("acc", "mg", ACC_CHANNELS, self._rate_hz, samples, first_ns)
