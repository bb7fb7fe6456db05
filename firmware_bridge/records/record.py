"""A recording as plain arrays: digital values, their scale, and which of them are valid."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import SourceError

__all__ = ["FINE_STEP_NV", "UNIT_NV", "Record", "distinct", "quantise", "require"]

UNIT_NV = {"nv": 1.0, "uv": 1e3, "µv": 1e3, "μv": 1e3, "mv": 1e6, "v": 1e9}
"""Nanovolts in a unit, by its name in lower case; `µ` is U+00B5 and `μ` U+03BC."""

FINE_STEP_NV = 100.0
"""Step for values that came as decimals: 0.1 uV, far below the noise of any ECG front end."""


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A recording of one or more leads at one rate.

    digital: int32, shape (samples, leads); 0 means 0 V.
    scale_nv: nanovolts of one step, a number a lead.
    valid: bool, shape (samples, leads); None where all samples are valid.
    start: when the first sample was taken, as the file says it (often without a zone).
    """

    name: str
    rate_hz: float
    leads: tuple[str, ...]
    digital: NDArray[np.int32]
    scale_nv: tuple[float, ...]
    valid: NDArray[np.bool_] | None = None
    start: datetime | None = None

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(len(self.digital) / self.rate_hz)

    def samples_uv(self) -> NDArray[np.float32]:
        """Microvolts, shape (samples, leads), NaN where invalid."""
        values = (self.digital * (np.asarray(self.scale_nv) * 1e-3)).astype(np.float32)
        if self.valid is not None:
            values[~self.valid] = np.nan
        return values

    def select(self, wanted: str) -> Record:
        """The record with some of its leads: names or indexes from 0, separated by commas.

        Raises SourceError that lists the leads there are.
        """
        columns = [self._column(word.strip()) for word in wanted.split(",")]
        if len(set(columns)) < len(columns):
            raise SourceError(f"{self.name}: lead={wanted} names a lead twice")
        return replace(
            self,
            leads=tuple(self.leads[k] for k in columns),
            digital=self.digital[:, columns],
            scale_nv=tuple(self.scale_nv[k] for k in columns),
            valid=None if self.valid is None else self.valid[:, columns],
        )

    def checked(self, path: Path) -> Record:
        """Itself, once it is known that there is something to play; else SourceError."""
        if len(self.digital) == 0 or not self.leads:
            raise SourceError(f"{path}: the recording is empty: no samples in it")
        if not (np.isfinite(self.rate_hz) and 0 < self.rate_hz <= 100_000):
            raise SourceError(f"{path}: a sampling rate of {self.rate_hz} Hz makes no sense")
        if self.valid is not None and not self.valid.any():
            raise SourceError(f"{path}: the recording holds no valid sample")
        return self

    def _column(self, word: str) -> int:
        if word in self.leads:
            return self.leads.index(word)
        if word.isdecimal() and int(word) < len(self.leads):
            return int(word)
        raise SourceError(
            f"{self.name}: no lead {word!r}: there are "
            + ", ".join(f"{k} ({name})" for k, name in enumerate(self.leads))
        )


def quantise(
    values_uv: NDArray[np.float64],
) -> tuple[NDArray[np.int32], float, NDArray[np.bool_] | None]:
    """Digital values, step in nanovolts and validity of microvolts that came as decimals.

    The step is 0.1 uV, coarser by powers of two where that would not fit 24 bits. NaN and
    infinity are invalid.
    """
    valid = np.isfinite(values_uv)
    filled = np.where(valid, values_uv, 0.0)
    step_nv = FINE_STEP_NV
    while np.abs(filled).max(initial=0.0) * 1e3 > step_nv * ((1 << 23) - 1):
        step_nv *= 2
    digital = np.rint(filled * (1e3 / step_nv)).astype(np.int32)
    return digital, step_nv, None if valid.all() else valid


def distinct(names: list[str]) -> tuple[str, ...]:
    """Lead names without repetition and without empty ones, nor commas (those separate them)."""
    found: list[str] = []
    for k, name in enumerate(names):
        plain = name.strip().replace(",", " ") or f"lead{k + 1}"
        number, candidate = 2, plain
        while candidate in found:
            candidate, number = f"{plain} {number}", number + 1
        found.append(candidate)
    return tuple(found)


def require(module: str, path: Path) -> ModuleType:
    """Import a package of the extra `records`, or say how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SourceError(
            f"{path}: reading it needs the package {module}: pip install 'edge[records]'"
        ) from error
