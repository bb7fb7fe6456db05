"""Compare ways of pre-training: `python -m models.training.trial RUN...`.

Runs trained with `--leave-out trial` are judged on the tenth of CinC 2017 that those left out:
rhythm by AUROC and F1; QRS detection, clean and in electrode motion at 0 dB, against the beats on
which two other detectors agree in the clean signal. Nothing here is a result: it only chooses.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.peaks import PeakPicker
from models.training import splits
from models.training.architecture import QRS_DELAY_S, QRS_THRESHOLD, RATE_HZ, SIZES
from models.training.data import Floats, Recording, read_all_caches
from models.training.disturb import signal_power
from models.training.metrics import auroc, f1
from models.training.model import Encoder
from models.training.train import finished_model

__all__ = ["beats_of", "main", "peaks_s", "qrs_counts"]

_MATCH_S = 0.15
_DOUBT_S = 0.3
_NOISE_DB = 0.0

Seconds = NDArray[np.float64]


def beats_of(model: Encoder, signal: Floats, threshold: float = QRS_THRESHOLD) -> Seconds:
    """R peaks in seconds. signal: one lead in microvolts, whole hops at RATE_HZ."""
    with torch.no_grad():
        logits = model(torch.from_numpy(signal)[None]).qrs[0]
    return peaks_s(torch.sigmoid(logits).numpy(), threshold)


def peaks_s(probability: Floats, threshold: float = QRS_THRESHOLD) -> Seconds:
    """R peaks in seconds, from the probability in every sample."""
    picker = PeakPicker(RATE_HZ, threshold)
    peaks = picker.push(probability) + picker.push(np.zeros(RATE_HZ, np.float32))
    return np.array([p.frame for p in peaks]) / RATE_HZ - QRS_DELAY_S


def qrs_counts(found: Seconds, truth: Seconds) -> tuple[int, int, int]:
    """TP, FN and FP, matched one to one, nearest first in time, within 150 ms."""
    i = j = matched = 0
    while i < len(found) and j < len(truth):
        distance = found[i] - truth[j]
        if abs(distance) <= _MATCH_S:
            matched, i, j = matched + 1, i + 1, j + 1
        elif distance < 0:
            i += 1
        else:
            j += 1
    return matched, len(truth) - matched, len(found) - matched


def _whole(recording: Recording) -> Floats:
    return np.ascontiguousarray(recording.signal[0, : recording.seconds * RATE_HZ])


def _qrs_errors(model: Encoder, kept: list[Recording], noise: Floats | None) -> float:
    """Errors in percent of the beats, away from doubtful ones and from the borders."""
    rng, errors, total = np.random.default_rng(0), 0, 0
    for r in kept:
        signal = _whole(r)
        if noise is not None:
            start = rng.integers(len(noise) - len(signal))
            piece = noise[start : start + len(signal)]
            gain = np.sqrt(signal_power(signal) / piece.var() / 10 ** (_NOISE_DB / 10))
            signal = signal + np.float32(gain) * piece
        found, truth = (_sure(t, r) for t in (beats_of(model, signal), r.beat_s))
        _, missed, false = qrs_counts(found, truth)
        errors, total = errors + missed + false, total + len(truth)
    return 100 * errors / max(1, total)


def _sure(times_s: Seconds, recording: Recording) -> Seconds:
    inside = (times_s > 2) & (times_s < recording.seconds - 1)
    if not len(recording.doubt_s):
        return np.asarray(times_s[inside])
    nearest = np.abs(times_s[:, None] - recording.doubt_s).min(axis=1, initial=np.inf)
    return np.asarray(times_s[inside & (nearest > _DOUBT_S)])


def judge(model: Encoder, recordings: list[Recording]) -> Iterator[tuple[str, float]]:
    """Named figures of one model."""
    kept = [
        r
        for r in recordings
        if r.source == "cinc2017" and splits.is_cinc_trial(r.name) and r.seconds > 8
    ]
    scores = []
    for r in kept:
        with torch.no_grad():
            rhythm = model(torch.from_numpy(_whole(r))[None]).rhythm[0, 8:]
        scores.append(torch.softmax(rhythm, -1).mean(0).numpy())
    score, truth = np.array(scores), np.array([r.rhythm[0] for r in kept])
    clean = truth != 3
    yield "AUROC", auroc(score[clean, 1], truth[clean] == 1)
    values = [f1(score.argmax(axis=1), truth, label) for label in range(4)]
    yield "F1(A)", values[1]
    yield "mean F1", float(np.mean(values[:3]))
    annotated = [r for r in kept if r.rhythm[0] != 3]
    noise = next(r.signal[0] for r in recordings if r.source == "nstdb" and r.name == "em")
    yield "QRS errors %", _qrs_errors(model, annotated, None)
    yield "QRS errors % in noise", _qrs_errors(model, annotated, noise)


def main(argv: list[str] | None = None) -> None:
    """Judge each run."""
    parser = argparse.ArgumentParser(prog="python -m models.training.trial", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--size", choices=tuple(SIZES), default="s")
    parser.add_argument("--cache", type=Path, default=Path(".data"), help="folder of the caches")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    recordings = read_all_caches(options.cache)
    for folder in options.runs:
        model, facts = finished_model(folder, options.size)
        figures = "  ".join(f"{name} {value:.4f}" for name, value in judge(model, recordings))
        print(f"{folder.name:24} {facts['step']:.0f} steps  {figures}", flush=True)


if __name__ == "__main__":
    main()
