"""NN intervals of the reference annotations of real records, for figures to be compared on."""

from __future__ import annotations

import numpy as np
import pytest

from edge.holter.beats import CLASSES, Beats
from edge.holter.intervals import nn_intervals
from tests.edge.holter.made import seconds_of

AAMI = dict.fromkeys("NLRej", "N") | dict.fromkeys("aAJS", "S") | dict.fromkeys("VE", "V")
AAMI |= {"F": "F"} | dict.fromkeys("/fQ", "Q")


def reference_nn(records_dir, name, rate_hz=360):
    """Of a record of the MIT-BIH Arrhythmia Database."""
    wfdb = pytest.importorskip("wfdb")
    told = wfdb.rdann(str(records_dir / "mitdb" / name), "atr")
    known = [(at, AAMI[s]) for at, s in zip(told.sample, told.symbol, strict=True) if s in AAMI]
    time_ns = np.array([round(at * 1e9 / rate_hz) for at, _ in known], np.int64)
    kind = np.array([CLASSES.index(label) for _, label in known], np.uint8)
    rr_ms = np.diff(time_ns, prepend=time_ns[:1]) / 1e6
    rr_ms[0] = np.nan
    beats = Beats(time_ns, kind, rr_ms, np.isfinite(rr_ms))
    return nn_intervals(beats, seconds_of(int(time_ns[-1] // 10**9) + 1))
