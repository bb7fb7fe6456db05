"""References and things heard, made by hand; and small annotated WFDB records on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.evaluate.listen import AlarmSpan, Heard
from edge.evaluate.reference import Reference, Rhythmic
from tests.edge.synthetic_ecg import ecg

RATE_HZ = 250.0


def reference(beats_s=(), classes=None, rhythms=(), fibrillation=(), duration_s=1800.0):
    """Times in seconds; rhythms as (label, start, stop)."""
    beats = np.array([round(at * RATE_HZ) for at in beats_s], np.int64)
    return Reference(
        rate_hz=RATE_HZ,
        length=round(duration_s * RATE_HZ),
        beats=beats,
        classes=tuple(classes or "N" * len(beats)),
        fibrillation=tuple((round(a * RATE_HZ), round(b * RATE_HZ)) for a, b in fibrillation),
        rhythms=tuple(
            Rhythmic(label, round(a * RATE_HZ), round(b * RATE_HZ)) for label, a, b in rhythms
        ),
    )


def heard(beats_s=(), classes=None, rhythm=(), alarms=()):
    """alarms as (kind, onset, told, end) in seconds."""
    beats = np.array([round(at * RATE_HZ) for at in beats_s], np.int64)
    return Heard(
        beats=beats,
        classes=tuple(classes or "N" * len(beats)),
        rhythm=tuple(rhythm),
        alarms=tuple(AlarmSpan(*alarm) for alarm in alarms),
    )


def write_record(folder: Path, name: str, beats_s, duration_s: float, *, seed=0) -> None:
    """Two leads with normal beats at `beats_s`, annotated as such and as sinus rhythm."""
    wfdb = pytest.importorskip("wfdb")
    leads = [ecg(beats_s, duration_s, RATE_HZ, r_uv=r_uv, seed=seed) for r_uv in (1000.0, 700.0)]
    wfdb.wrsamp(
        name,
        fs=int(RATE_HZ),
        units=["mV", "mV"],
        sig_name=["MLII", "V1"],
        p_signal=np.hstack(leads).astype(np.float64) / 1000.0,
        fmt=["16", "16"],
        write_dir=str(folder),
    )
    wfdb.wrann(
        name,
        "atr",
        np.array([1, *(round(at * RATE_HZ) for at in beats_s)]),
        symbol=["+", *"N" * len(beats_s)],
        aux_note=["(N", *[""] * len(beats_s)],
        write_dir=str(folder),
    )
