"""EDF and EDF+ files (European Data Format, Kemp 1992 and 2003)."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import numpy as np

from firmware_bridge.errors import SourceError
from firmware_bridge.records.record import UNIT_NV, Record, distinct, require

__all__ = ["read_edf"]

ECG_LABEL = re.compile(r"(?i)\b(ecg|ekg|ml?i{1,3}|i{1,3}|av[rlf]|v[1-9])\b")


def read_edf(path: Path) -> Record:
    """Read the ECG signals of a file, at the rate of the first of them.

    Those whose label says ECG; if none does, all in volts. An offset of the physical range that
    is no whole number of steps is rounded to one: a constant below half a step.
    """
    edfio = require("edfio", path)
    try:
        edf = edfio.read_edf(path)
        signals = _chosen(list(edf.signals))
        digital = [np.asarray(signal.digital, np.int64) for signal in signals]
        start = _start(edf)
        continuous = edf.is_continuous
    except OSError:
        raise
    except Exception as error:  # the parser raises whatever a damaged file makes it stumble over
        raise SourceError(f"{path}: damaged, not readable as EDF: {error}") from error
    if not signals:
        raise SourceError(f"{path}: no signal in volts in it")
    if not continuous:
        raise SourceError(f"{path}: EDF+D, a recording with holes; convert it to EDF+C first")
    scales, offsets = zip(*(_scale(path, signal) for signal in signals), strict=True)
    return Record(
        name=path.stem,
        rate_hz=float(signals[0].sampling_frequency),
        leads=distinct([signal.label for signal in signals]),
        digital=(np.stack(digital, axis=1) + np.array(offsets)).astype(np.int32),
        scale_nv=scales,
        start=start,
    )


def _chosen(signals: list[Any]) -> list[Any]:
    in_volts = [s for s in signals if s.physical_dimension.strip().lower() in UNIT_NV]
    chosen = [s for s in in_volts if ECG_LABEL.search(s.label)] or in_volts
    return [s for s in chosen if s.sampling_frequency == chosen[0].sampling_frequency]


def _start(edf: Any) -> datetime | None:
    try:
        return cast(datetime, edf.startdatetime)
    except ValueError:  # made anonymous, or not a date
        return None


def _scale(path: Path, signal: Any) -> tuple[float, int]:
    """Nanovolts of a step, and what to add to a digital value so that 0 means 0 V."""
    steps = signal.digital_max - signal.digital_min
    physical = signal.physical_max - signal.physical_min
    if steps <= 0 or physical == 0:
        raise SourceError(f"{path}: signal {signal.label!r} has an empty range")
    step = physical / steps
    offset = round(signal.physical_min / step - signal.digital_min)
    return step * UNIT_NV[signal.physical_dimension.strip().lower()], offset
