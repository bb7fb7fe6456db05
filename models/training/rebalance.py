"""Beat probabilities for the class rates of real recordings, not of the training crops.

Half of the crops are aimed at rare beats, and rare classes weigh more in the loss, so that the
network expects them far too often. Adding log(real rate / taught rate) to each class's logit
makes up for it (label shift: Saerens et al. 2002). Both rates come from training data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.training import splits
from models.training.batches import Sampler
from models.training.data import Recording
from models.training.model import Encoder

__all__ = ["rebalance"]

_CLASSES = len(splits.BEAT_CLASSES)
_BATCHES = 60
_SECONDS = 30


def rebalance(
    model: Encoder,
    recordings: Sequence[Recording],
    sampler: Sampler,
    loss_weights: Sequence[float],
) -> None:
    """Shift the beat logits of a trained model, in place, from taught to real class rates."""
    taught = np.ones(_CLASSES)  # one of each: no class has rate 0
    for _ in range(_BATCHES):
        taught += _count(sampler.draw(_SECONDS).beats)
    real = np.ones(_CLASSES)
    for recording in recordings:
        if recording.source == "mitdb" and recording.name in splits.MITDB_TRAIN:
            real += _count(recording.beat_class)
    taught *= np.asarray(loss_weights)
    shift = np.log(real / real.sum()) - np.log(taught / taught.sum())
    bias = model.convs["beat2"].bias
    assert isinstance(bias, torch.Tensor)
    with torch.no_grad():
        bias[:_CLASSES] += torch.from_numpy(shift).float()


def _count(classes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.bincount(classes[classes != splits.IGNORE], minlength=_CLASSES)
