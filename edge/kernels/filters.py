"""Cascade of biquads, transposed direct form II, over interleaved leads."""

from __future__ import annotations

import math

from edge.kernels import kernel, part


@part
def filtered(x, cascade):  # type: ignore[no-untyped-def]
    """One sample through a cascade, (sections, 7): coefficients and state of each section, as
    `edge.biquad.at_rest` lays them out."""
    for s in range(cascade.shape[0]):
        y = cascade[s, 0] * x + cascade[s, 5]
        cascade[s, 5] = cascade[s, 1] * x - cascade[s, 3] * y + cascade[s, 6]
        cascade[s, 6] = cascade[s, 2] * x - cascade[s, 4] * y
        x = y
    return x


@kernel("void(float32[:, ::1], float64[:, :, ::1], float64[::1], float32[:, ::1])")
def condition(samples, cascades, held, out):  # type: ignore[no-untyped-def]
    """Filter `samples` (n, leads) into `out` by the lead's own of `cascades`.

    held: (leads,) last finite input, which stands in for a sample that is not finite, so that
    one bad value cannot live on in the state for ever.
    """
    for lead in range(samples.shape[1]):
        cascade = cascades[lead]
        last = held[lead]
        for i in range(samples.shape[0]):
            x = float(samples[i, lead])
            if math.isfinite(x):
                last = x
            out[i, lead] = filtered(last, cascade)
        held[lead] = last
