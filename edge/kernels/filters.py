"""Cascade of biquads, transposed direct form II, over interleaved leads."""

from __future__ import annotations

import math

from edge.kernels import kernel


@kernel("void(float32[:, ::1], float64[:, ::1], float64[:, :, ::1], float64[::1], float32[:, ::1])")
def cascade(samples, sections, state, held, out):  # type: ignore[no-untyped-def]
    """Filter `samples` (n, leads) into `out`, carrying `state` (leads, sections, 2).

    sections: (sections, 5) rows b0 b1 b2 a1 a2. held: (leads,) last finite input, which
    stands in for a sample that is not finite, so that one bad value cannot live on in the
    state for ever.
    """
    for i in range(samples.shape[0]):
        for lead in range(samples.shape[1]):
            x = float(samples[i, lead])
            if math.isfinite(x):
                held[lead] = x
            else:
                x = held[lead]
            for s in range(sections.shape[0]):
                y = sections[s, 0] * x + state[lead, s, 0]
                state[lead, s, 0] = sections[s, 1] * x - sections[s, 3] * y + state[lead, s, 1]
                state[lead, s, 1] = sections[s, 2] * x - sections[s, 4] * y
                x = y
            out[i, lead] = x
