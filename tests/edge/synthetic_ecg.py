"""ECG of known beats, in the way of the ANSI/AAMI EC13 test waves: triangles and half sines."""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def ecg(
    beats_s,
    duration_s,
    rate_hz,
    *,
    r_uv=1000.0,
    t_uv=200.0,
    qrs_ms=100.0,
    noise_uv=5.0,
    offset_uv=0.0,
    seed=0,
):
    """One lead, float32 (n, 1), with R peaks at `beats_s` (or near, by half a sample)."""
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    x = np.random.default_rng(seed).normal(0.0, noise_uv, t.size) + offset_uv
    for at in beats_s:
        x += r_uv * np.maximum(0.0, 1.0 - np.abs(t - at) / (qrs_ms / 2000.0))
        phase = (t - at - 0.12) / 0.18  # QT 350 ms
        x += t_uv * np.sin(np.pi * phase) * ((phase > 0) & (phase < 1))
    return x.astype(np.float32)[:, None]


def regular(bpm, duration_s, first_s=0.6):
    """Beat times of a regular rhythm, the last one a second before the end."""
    return np.arange(first_s, duration_s - 1.0, 60.0 / bpm)


def chunked(process, samples, cuts):
    """Feed `samples` to `process(start, piece)` in pieces that end at `cuts`."""
    edges = [0, *sorted(cut % (len(samples) + 1) for cut in cuts), len(samples)]
    return [process(start, samples[start:stop]) for start, stop in pairwise(edges)]
