"""WFDB records (PhysioNet): a `.hea` header beside its signal files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import SourceError
from firmware_bridge.records.record import UNIT_NV, Record, distinct, quantise, require

__all__ = ["read_wfdb"]

INVALID = {"80": -(1 << 7), "212": -(1 << 11), "310": -(1 << 9), "311": -(1 << 9)} | {
    "24": -(1 << 23),
    "32": -(1 << 31),
    "508": -(1 << 7),
    "524": -(1 << 23),
}
"""Digital value that marks an invalid sample, by storage format (WFDB signal(5))."""
INVALID_16 = -(1 << 15)
DEFAULT_GAIN = 200.0
"""Steps a millivolt where a header gives none or 0 (WFDB header(5))."""


def read_wfdb(header: Path) -> Record:
    """Read the record of a `.hea` file; signals that are not voltages are left out."""
    wfdb = require("wfdb", header)
    name = str(header.with_suffix(""))
    try:
        raw = _raw(wfdb, name)
    except OSError as error:
        missing = error.filename or error
        raise SourceError(f"{header}: its signal file cannot be read: {missing}") from error
    except Exception as error:  # the parser raises whatever a damaged file makes it stumble over
        raise SourceError(
            f"{header}: damaged or truncated record, not readable as WFDB: {_reason(error)}"
        ) from error
    return _record(header, raw)


def _reason(error: Exception) -> str:
    """The parser's words, or plainer ones where it merely stumbled."""
    if "could not broadcast" in str(error):
        return "a signal file is shorter than the header says"
    return "its header is incomplete" if isinstance(error, IndexError) else str(error)


def _raw(wfdb: Any, name: str) -> Any:
    """Digital values; physical ones where segments of one record differ in gain."""
    try:
        return wfdb.rdrecord(name, physical=False, return_res=32)
    except Exception as error:  # of no class of its own
        if "in digital format" not in str(error):
            raise
        return wfdb.rdrecord(name, physical=True)


def _record(header: Path, raw: Any) -> Record:
    if not raw.n_sig or (raw.d_signal is None and raw.p_signal is None):
        raise SourceError(f"{header}: the recording is empty: no samples in it")
    columns = [k for k in range(raw.n_sig) if _unit(raw, k) in UNIT_NV]
    if not columns:
        raise SourceError(f"{header}: no signal in volts, only {', '.join(map(str, raw.units))}")
    digital, scale_nv, valid = (_digital if raw.p_signal is None else _physical)(raw, columns)
    return Record(
        name=header.stem,
        rate_hz=float(raw.fs),
        leads=distinct([str(raw.sig_name[k] or "") for k in columns]),
        digital=digital,
        scale_nv=scale_nv,
        valid=None if valid is None or valid.all() else valid,
        start=_start(raw),
    )


Signal = tuple[NDArray[np.int32], tuple[float, ...], NDArray[np.bool_] | None]


def _digital(raw: Any, columns: list[int]) -> Signal:
    digital = np.array(raw.d_signal[:, columns], np.int32)
    valid = digital != np.array([INVALID.get(raw.fmt[k], INVALID_16) for k in columns])
    digital -= np.array([raw.baseline[k] or 0 for k in columns], np.int32)
    digital[~valid] = 0
    scales = (UNIT_NV[_unit(raw, k)] / (raw.adc_gain[k] or DEFAULT_GAIN) for k in columns)
    return digital, tuple(scales), valid


def _physical(raw: Any, columns: list[int]) -> Signal:
    to_uv = np.array([UNIT_NV[_unit(raw, k)] / 1000 for k in columns])
    digital, step_nv, valid = quantise(raw.p_signal[:, columns] * to_uv)
    return digital, (step_nv,) * len(columns), valid


def _unit(raw: Any, k: int) -> str:
    return str(raw.units[k] or "mV").lower()


def _start(raw: Any) -> datetime | None:
    if raw.base_date is None or raw.base_time is None:
        return None
    return datetime.combine(raw.base_date, raw.base_time)
