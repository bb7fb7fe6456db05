"""Sums over one second that signal quality is judged by, and what they come to."""

from __future__ import annotations

import math

import numba

from edge.kernels import kernel, part
from edge.kernels.filters import filtered
from edge.kernels.noise import noise_share
from edge.kernels.quality_state import (
    BAND,
    BAND2,
    BASE,
    BASE2,
    COUNT,
    HIGH2,
    NOISE,
    OFF,
    QRS2,
    QRS4,
    RAIL,
    SPAN,
    STATE_TYPE,
    STILL,
)

_SAMPLES = numba.float32[:, ::1]


@part
def count_runs(x, state, sums):  # type: ignore[no-untyped-def]
    """Follow runs of equal samples, and those at the rails."""
    state.run = state.run + 1 if x == state.previous else 1
    state.previous = x
    state.top = max(state.top, x)
    state.bottom = min(state.bottom, x)
    sums[STILL] = max(sums[STILL], float(state.run))
    if x == state.top or x == state.bottom:
        sums[RAIL] = max(sums[RAIL], float(state.run))


@part
def add(base, y, qrs, high, sums):  # type: ignore[no-untyped-def]
    """What is below 1 Hz, conditioned, in the QRS band and above 40 Hz, to the sums."""
    sums[BASE] += base
    sums[BASE2] += base * base
    sums[BAND] += y
    sums[BAND2] += y * y
    sums[QRS2] += qrs * qrs
    sums[QRS4] += qrs * qrs * qrs * qrs
    sums[HIGH2] += high * high


@kernel(numba.void(_SAMPLES, _SAMPLES, numba.int64, STATE_TYPE[::1], numba.int64))
def gather(raw, conditioned, off_bits, states, slot):  # type: ignore[no-untyped-def]
    """Add samples to the sums of the second in `slot`."""
    for lead in range(raw.shape[1]):
        state = states[lead]
        sums = state.seconds[slot]
        filters = state.filters
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
            count_runs(x, state, sums)
            x -= state.origin
            base = filtered(x, filters[:1])
            qrs = filtered(y, filters[1:3])
            high = filtered(x, filters[3:])
            add(base, y, qrs, high, sums)
        sums[COUNT] += raw.shape[0]
        sums[OFF] += float((off_bits >> lead) & 1) * raw.shape[0]


@kernel(numba.void(STATE_TYPE[::1], numba.int64, numba.boolean, numba.float64[:, ::1]))
def end_second(states, slot, is_settled, measures):  # type: ignore[no-untyped-def]
    """What the second in `slot` comes to, into `measures` (leads, MEASURES); the next begins.

    is_settled: whether its noise counts, in this second and in those that look back at it.
    """
    for lead in range(states.size):
        state = states[lead]
        now = state.seconds[slot]
        for k in (COUNT, OFF, STILL, RAIL):
            measures[lead, k] = now[k]
        measures[lead, SPAN] = state.top - state.bottom
        if not is_settled:
            now[:] = 0.0
        recent = state.recent
        recent[:] = 0.0
        for second in range(state.seconds.shape[0]):
            for k in range(recent.size):
                recent[k] += state.seconds[second, k]
        measures[lead, NOISE] = noise_share(recent)
        state.seconds[(slot + 1) % state.seconds.shape[0]][:] = 0.0
