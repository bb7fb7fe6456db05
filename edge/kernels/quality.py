"""Sums over one second that signal quality is judged by."""

from __future__ import annotations

import math

import numba
import numpy as np

from edge.kernels import kernel

STATE = np.dtype(
    [
        ("origin", "f8"),  # first raw sample: keeps the sums small under an electrode offset
        ("previous", "f8"),  # last raw sample
        ("run", "i8"),  # equal raw samples up to now
        ("top", "f8"),  # highest and lowest raw sample of the stream
        ("bottom", "f8"),
        ("primed", "i8"),
    ]
)

SUMS = np.dtype(
    [
        ("count", "f8"),
        ("off", "f8"),  # samples without skin contact
        ("still", "f8"),  # longest run of equal raw samples
        ("rail", "f8"),  # longest such run at the highest or lowest value of the stream
        ("base", "f8"),  # raw below 1 Hz: sum, sum of squares
        ("base2", "f8"),
        ("band", "f8"),  # conditioned
        ("band2", "f8"),
        ("qrs2", "f8"),  # conditioned, 5 to 20 Hz: squares and fourth powers
        ("qrs4", "f8"),
        ("high2", "f8"),  # raw above 40 Hz
    ]
)

_SAMPLES = numba.float32[:, ::1]
_STATE_TYPE = numba.from_dtype(STATE)
_SUMS_TYPE = numba.from_dtype(SUMS)


@kernel(numba.float64(numba.float64, numba.float64[:, ::1], numba.float64[:, ::1]))
def filtered(x, sections, state):  # type: ignore[no-untyped-def]
    """One sample through a cascade of biquads."""
    for s in range(sections.shape[0]):
        y = sections[s, 0] * x + state[s, 0]
        state[s, 0] = sections[s, 1] * x - sections[s, 3] * y + state[s, 1]
        state[s, 1] = sections[s, 2] * x - sections[s, 4] * y
        x = y
    return x


@kernel(numba.void(numba.float64, _STATE_TYPE, _SUMS_TYPE))
def count_runs(x, state, sums):  # type: ignore[no-untyped-def]
    """Follow runs of equal samples, and those at the rails."""
    state.run = state.run + 1 if x == state.previous else 1
    state.previous = x
    state.top = max(state.top, x)
    state.bottom = min(state.bottom, x)
    sums.still = max(sums.still, float(state.run))
    if x == state.top or x == state.bottom:
        sums.rail = max(sums.rail, float(state.run))


@kernel(
    numba.void(
        _SAMPLES,
        _SAMPLES,
        numba.int64,
        numba.float64[:, ::1],
        numba.float64[:, ::1],
        numba.float64[:, ::1],
        numba.float64[:, :, :, ::1],
        _STATE_TYPE[::1],
        _SUMS_TYPE[::1],
    )
)
def gather(raw, conditioned, off_bits, low, band, high, filters, states, sums):  # type: ignore[no-untyped-def]
    """Add samples to the sums of the second. filters: (leads, 3, sections, 2)."""
    for lead in range(raw.shape[1]):
        off = float((off_bits >> lead) & 1)
        state = states[lead]
        total = sums[lead]
        low_state = filters[lead, 0]
        band_state = filters[lead, 1]
        high_state = filters[lead, 2]
        for i in range(raw.shape[0]):
            x = float(raw[i, lead])
            y = float(conditioned[i, lead])
            if not (math.isfinite(x) and math.isfinite(y)):
                x = state.previous
                y = 0.0
            if state.primed == 0:
                state.primed = 1
                state.origin = x
                state.top = x
                state.bottom = x
            count_runs(x, state, total)
            x -= state.origin
            base = filtered(x, low, low_state)
            qrs = filtered(y, band, band_state)
            above = filtered(x, high, high_state)
            total.base += base
            total.base2 += base * base
            total.band += y
            total.band2 += y * y
            total.qrs2 += qrs * qrs
            total.qrs4 += qrs * qrs * qrs * qrs
            total.high2 += above * above
        total.count += raw.shape[0]
        total.off += off * raw.shape[0]
