"""CSV tables: a header row with a column a lead, and either a time column or a rate.

    # rate_hz=250
    I_uv,II_uv
    12.5,-3

A column is named for its lead with `_uv` or `_mv` behind; `time_s` holds seconds. An empty field
or `nan` is an invalid sample. Rows that are missing in the time column become a hole.
"""

from __future__ import annotations

import csv
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import SourceError
from firmware_bridge.records.record import Record, distinct, quantise

__all__ = ["read_csv"]

TIME = "time_s"
COLUMN = re.compile(r"(.*)_(uv|mv)", re.IGNORECASE)
RATE = re.compile(r"#\s*rate_hz\s*=\s*([0-9.]+)\s*")
SAMPLES_MAX = 200_000_000
"""Bound on holes: a leap in the time column beyond this is a mistake, not a pause."""


@dataclass(frozen=True, slots=True)
class _Head:
    lines: int
    columns: tuple[str, ...]
    rate_hz: float | None


def read_csv(path: Path) -> Record:
    """Read a table as the module describes it."""
    try:
        head = _head(path)
        table = _table(path, head)
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not a text file: {error.reason}") from error
    places = [k for k, name in enumerate(head.columns) if name != TIME]
    values_uv = table[:, places] * np.array([_microvolts(path, head.columns[k]) for k in places])
    rate_hz = head.rate_hz
    if TIME in head.columns and len(table) > 1:
        values_uv, measured_hz = _placed(path, table[:, head.columns.index(TIME)], values_uv)
        rate_hz = rate_hz or measured_hz
    if rate_hz is None:
        raise SourceError(f"{path}: no rate: add a column {TIME} or a first line '# rate_hz=250'")
    digital, step_nv, valid = quantise(values_uv)
    names = [COLUMN.sub(r"\1", head.columns[k]) for k in places]
    scales = (step_nv,) * len(places)
    return Record(path.stem, rate_hz, distinct(names), digital, scales, valid)


def _head(path: Path) -> _Head:
    rate_hz = None
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.startswith("#"):
                columns = tuple(name.strip() for name in next(csv.reader([line]), []))
                return _Head(number, _named(path, columns), rate_hz)
            matched = RATE.fullmatch(line.strip())
            rate_hz = _rate(path, matched[1]) if matched else rate_hz
    raise SourceError(f"{path}: the table is empty: no header row with the names of the leads")


def _rate(path: Path, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SourceError(f"{path}: rate_hz={text} is not a number") from None


def _named(path: Path, columns: tuple[str, ...]) -> tuple[str, ...]:
    if not set(columns) - {TIME}:
        raise SourceError(f"{path}: line {columns}: no column for a lead")
    if len(set(columns)) < len(columns):
        raise SourceError(f"{path}: two columns have the same name: {', '.join(columns)}")
    return columns


def _microvolts(path: Path, column: str) -> float:
    matched = COLUMN.fullmatch(column)
    if matched is None:
        raise SourceError(
            f"{path}: column {column!r}: its unit is not known; name it {column or 'ecg'}_uv "
            f"or {column or 'ecg'}_mv in the header row"
        )
    return 1.0 if matched[2].lower() == "uv" else 1000.0


def _table(path: Path, head: _Head) -> NDArray[np.float64]:
    width = len(head.columns)
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of no rows
            table = np.loadtxt(
                path, delimiter=",", skiprows=head.lines, ndmin=2, encoding="utf-8-sig"
            )
        if table.size == 0 or table.shape[1] == width:
            return table.reshape(-1, width)
    except ValueError:
        pass  # empty fields, or a fault that the slow way names
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = enumerate(csv.reader(lines), start=1)
        kept = [_row(path, k, row, width) for k, row in rows if k > head.lines and row]
    return np.array(kept, float).reshape(-1, width)


def _row(path: Path, line: int, row: list[str], width: int) -> list[float]:
    if len(row) != width:
        raise SourceError(f"{path}: line {line}: {len(row)} fields where the header has {width}")
    try:
        return [float(field) if field.strip() else float("nan") for field in row]
    except ValueError as error:
        raise SourceError(f"{path}: line {line}: {error}") from None


def _placed(
    path: Path, time_s: NDArray[np.float64], values_uv: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Values in their places on an even grid (NaN where a row is missing), and its rate.

    The rate is that of the rows that follow without a hole, so that times rounded to a few
    digits still give the true one.
    """
    steps_s = np.diff(time_s)
    if not (steps_s > 0).all():
        line = int(np.argmin(steps_s > 0)) + 2
        raise SourceError(f"{path}: {TIME} does not grow (or is missing) at data row {line}")
    even_s = steps_s[steps_s < 1.5 * np.median(steps_s)]
    rate_hz = round(float(len(even_s) / even_s.sum()), 3)
    places = np.rint((time_s - time_s[0]) * rate_hz)
    if places[-1] >= SAMPLES_MAX:
        raise SourceError(f"{path}: {TIME} leaps too far: {places[-1]:.0f} samples in all")
    if (steps_s < 1.5 * np.median(steps_s)).all():
        return values_uv, rate_hz
    grid = np.full((int(places[-1]) + 1, values_uv.shape[1]), np.nan)
    grid[places.astype(np.int64)] = values_uv
    return grid, rate_hz
