"""From each lead's logits to the one heart's probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.manifest import Output

__all__ = ["fuse", "nothing_known"]


def fuse(
    output: Output, per_lead: NDArray[np.float32], weights: NDArray[np.float64]
) -> NDArray[np.float32]:
    """The value of `output` from the leads' tensors.

    per_lead: (leads, ...) logits, or features for an embedding. weights: (leads,), not all 0.
    A logit for `rest`, where the output has one, comes last and is left out of the answer.
    """
    share = (weights / weights.sum()).reshape(-1, *[1] * (per_lead.ndim - 1))
    mean = (per_lead * share).sum(axis=0)
    if output.kind == "embedding":
        return np.asarray(mean, np.float32)
    powers = np.exp(mean - mean.max(axis=-1, keepdims=True))
    probability = powers / powers.sum(axis=-1, keepdims=True)
    return np.asarray(probability[..., : len(output.labels)], np.float32)


def nothing_known(output: Output) -> NDArray[np.float32]:
    """The value of `output` when no lead is fit: "noise" is certain, all else is 0."""
    value = np.zeros(output.shape, np.float32)
    if "noise" in output.labels:
        value[..., output.labels.index("noise")] = 1.0
    return value
