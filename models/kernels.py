"""Compiled kernels of a network's step: normalisation in, probabilities out.

Every kernel has an explicit signature, so it is compiled once when this module is imported (or
loaded from Numba's cache) and never inside the sample loop. Arithmetic is IEEE in program
order, so the same numbers give the same bits.
"""

from __future__ import annotations

import math

import numpy as np

from models.compiled import kernel

__all__ = ["MEAN", "SIGMOID", "SOFTMAX", "all_finite", "fuse_leads", "normalise", "softmax"]

MEAN, SIGMOID, SOFTMAX = 0, 1, 2
"""What becomes of an output's mean over the leads."""


@kernel(
    "boolean(float32[:, ::1], float64[::1], float64, float64, float64, float64,"
    " float64[:, ::1], float32[:, ::1])"
)
def normalise(samples, weights, keep, floor, clip, trace, state, out):  # type: ignore[no-untyped-def]
    """Divide each lead by its running mean of |x|, ramping over the hop; False, and nothing
    done, where a sample is not finite.

    samples, out: (leads, hop_samples). weights: (leads,). state: (leads, 4) rows of total,
    weight, scale at the end of the last hop, and the prior, in microvolts.
    """
    leads, count = samples.shape
    for lead in range(leads):
        for i in range(count):
            if not math.isfinite(samples[lead, i]):
                return False
    for lead in range(leads):
        level = 0.0
        for i in range(count):
            level += abs(float(samples[lead, i]))
        share = (1.0 - keep) * weights[lead]
        total = keep * state[lead, 0] + share * (level / count)
        weight = keep * state[lead, 1] + share
        before = state[lead, 2]
        scale = max((total + trace * state[lead, 3]) / (weight + trace), floor)
        for i in range(count):
            scaled = samples[lead, i] / (before + (scale - before) * ((i + 1) / count))
            scaled = min(max(scaled, -clip), clip)
            out[lead, i] = np.float32(scaled) if weights[lead] > 0 else np.float32(0.0)
        state[lead, 0], state[lead, 1], state[lead, 2] = total, weight, scale
    return True


@kernel("boolean(float32[::1])")
def all_finite(values):  # type: ignore[no-untyped-def]
    """Whether no value is infinite or not a number."""
    return np.isfinite(values).all()


@kernel("void(float32[::1], float32[::1])")
def softmax(logits, out):  # type: ignore[no-untyped-def]
    """Probabilities of the labels, (labels,), for their logits."""
    powers = np.empty(len(logits))
    highest, total = logits.max(), 0.0
    for k in range(len(logits)):
        powers[k] = math.exp(np.float64(logits[k]) - np.float64(highest))
        total += powers[k]
    for k in range(len(logits)):
        out[k] = powers[k] / total


@kernel("void(float32[::1], int64[:, ::1], float64[::1], int64, float32[::1])")
def fuse_leads(per_lead, plan, weights, followed, out):  # type: ignore[no-untyped-def]
    """Weighted mean over the leads, or the lead followed, then each output's own function.

    per_lead: output by output, lead by lead, row by row. plan: (outputs, 4) rows of function,
    rows, columns, and how many columns of a row are kept. weights: (leads,), not all 0.
    followed: the lead that SIGMOID hears alone. out: output by output, row by row.
    """
    leads, source, target = weights.shape[0], 0, 0
    share = weights / weights.sum()
    powers = np.empty(plan[:, 2].max())
    for k in range(plan.shape[0]):
        function, rows, columns, kept = plan[k, 0], plan[k, 1], plan[k, 2], plan[k, 3]
        for row in range(rows):
            at = source + row * columns
            highest = -math.inf
            for column in range(columns):
                mean = 0.0
                for lead in range(leads):
                    trust = share[lead]
                    if function == SIGMOID:
                        trust = 1.0 if lead == followed else 0.0
                    mean += per_lead[at + lead * rows * columns + column] * trust
                powers[column] = mean
                highest = max(highest, mean)
            if function == SOFTMAX:
                total = 0.0
                for column in range(columns):
                    powers[column] = math.exp(powers[column] - highest)
                    total += powers[column]
                for column in range(kept):
                    powers[column] /= total
            elif function == SIGMOID:
                for column in range(kept):
                    powers[column] = 1.0 / (1.0 + math.exp(-powers[column]))
            for column in range(kept):
                out[target + row * kept + column] = np.float32(powers[column])
        source += leads * rows * columns
        target += rows * kept
