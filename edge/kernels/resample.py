"""Band-limited interpolation at evenly spaced times, over interleaved leads."""

from __future__ import annotations

import math

import numba

from edge.kernels import kernel

_f8 = numba.float64
_i8 = numba.int64


@kernel(
    _i8(
        numba.float32[:, ::1],
        _f8[:, ::1],
        _f8[:, ::1],
        _f8[::1],
        _i8[::1],
        _f8,
        _f8,
        numba.float32[:, ::1],
    )
)
def interpolate(samples, table, history, held, counts, rate_in, rate_out, out):  # type: ignore[no-untyped-def]
    """Resample `samples` (n, leads) into `out`; gives the number of outputs written.

    table: (phases + 1, taps) impulse responses, one a fraction of an input sample.
    history: (2 * taps, leads) newest inputs, each written twice so that `taps` of them
    always lie in one piece. counts: inputs taken, outputs given.
    """
    phases = table.shape[0] - 1
    taps = table.shape[1]
    written = 0
    for i in range(samples.shape[0]):
        slot = counts[0] % taps
        for lead in range(samples.shape[1]):
            x = float(samples[i, lead])
            if math.isfinite(x):
                held[lead] = x
            history[slot, lead] = held[lead]
            history[slot + taps, lead] = held[lead]
        oldest = slot + 1
        while counts[1] * rate_in / rate_out < counts[0] + 1:
            at = counts[1] * rate_in / rate_out - counts[0]
            phase = at * phases
            row = min(int(phase), phases - 1)
            between = phase - row
            for lead in range(samples.shape[1]):
                y = 0.0
                for k in range(taps):
                    h = table[row, k] + between * (table[row + 1, k] - table[row, k])
                    y += h * history[oldest + k, lead]
                out[written, lead] = y
            written += 1
            counts[1] += 1
        counts[0] += 1
    return written
