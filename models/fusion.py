"""From each lead's logits to the one heart's probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from models.kernels import MEAN, SIGMOID, SOFTMAX, fuse_leads
from models.manifest import Output

__all__ = ["Fusion", "followed_lead", "nothing_known", "per_lead_size"]

FOLLOW_ABOVE = 0.1
"""Trust from which a lead may be followed."""

_FUNCTIONS = {"embedding": MEAN, "features": MEAN, "qrs": SIGMOID}  # softmax for all else


class Fusion:
    """Makes the values of all outputs of a step from the leads' tensors.

    Logits are averaged with the weights, then comes softmax over the labels. "qrs" is the
    logistic function of one lead, the one followed: a lead without QRS complexes would outvote
    it. An embedding and features are averaged as they are. A logit for `rest`, where the output
    has one, comes last in its row and is left out of the answer.
    """

    def __init__(self, outputs: Sequence[Output], leads: int) -> None:
        self._outputs = outputs
        self._plan = np.array([_plan(output) for output in outputs], np.int64)
        self._heard = np.empty(sum(leads * per_lead_size(o) for o in outputs), np.float32)
        ends = np.cumsum([prod(output.shape) for output in outputs]).tolist()
        self._spans = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]

    def __call__(
        self, per_lead: Sequence[NDArray[np.float32]], weights: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float32]]:
        """The outputs by name, each of its shape.

        per_lead: an array (leads, ...) for each output, of `per_lead_size` numbers a lead.
        weights: (leads,), not all 0.
        """
        np.concatenate([tensor.reshape(-1) for tensor in per_lead], out=self._heard)
        values = np.empty(self._spans[-1].stop, np.float32)
        fuse_leads(self._heard, self._plan, weights, followed_lead(weights), values)
        return {
            output.name: values[span].reshape(output.shape)
            for output, span in zip(self._outputs, self._spans, strict=True)
        }


def followed_lead(weights: Sequence[float] | NDArray[np.float64]) -> int:
    """The lead in which QRS complexes are heard: the first that is fit, for devices put the one
    with the clearest complexes first; the best, where none is."""
    for lead, weight in enumerate(weights):
        if weight >= FOLLOW_ABOVE:
            return lead
    return int(np.argmax(weights))


def _plan(output: Output) -> tuple[int, int, int, int]:
    """Function, rows, columns, columns kept."""
    kept = output.shape[-1]
    columns = kept + (output.rest is not None)
    return _FUNCTIONS.get(output.kind, SOFTMAX), prod(output.shape[:-1]), columns, kept


def per_lead_size(output: Output) -> int:
    """How many numbers a network gives for this output, a lead."""
    _, rows, columns, _ = _plan(output)
    return rows * columns


def nothing_known(output: Output) -> NDArray[np.float32]:
    """The value of `output` when no lead is fit.

    "noise" is certain, and so is the last label, the worst, of a quality; all else is 0.
    """
    value = np.zeros(output.shape, np.float32)
    if output.kind == "quality":
        value[..., -1] = 1.0
    elif "noise" in output.labels:
        value[..., output.labels.index("noise")] = 1.0
    return value
