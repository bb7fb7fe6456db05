"""Float weights and training signals to an int8 network: scales, zero points, integers.

Activations are uint8 with one scale a tensor, from percentiles over training data. Weights
are int8 with one scale an output channel and use only -64..63: processors without an int8
dot product (AVX2) add pairs of products in 16 bits, which full-range weights would saturate,
so that results would differ between machines.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from models.training.batches import Sampler
from models.training.graph import QuantisedConv, Range
from models.training.model import Encoder, normalise

__all__ = ["calibrate", "quantise"]

_PERCENTILE = 99.99
_WEIGHT_LIMIT = 63
_CALIBRATION_BATCHES = 12
_CALIBRATION_SECONDS = 30


def calibrate(model: Encoder, sampler: Sampler) -> dict[str, Range]:
    """Ranges of all tensors over training crops; "<block>+" is a block before the addition."""
    kept: dict[str, list[NDArray[np.float32]]] = {}
    with torch.no_grad():
        for _ in range(_CALIBRATION_BATCHES):
            signal = torch.from_numpy(sampler.draw(_CALIBRATION_SECONDS).signal)
            tensors = model.tensors(normalise(signal))
            for spec in model.shape.specs:
                if spec.adds:
                    tensors[f"{spec.name}+"] = tensors[spec.name] - tensors[spec.adds]
            for name, tensor in tensors.items():
                kept.setdefault(name, []).append(_extremes(tensor))
    return {name: Range.of(*np.mean(pairs, axis=0)) for name, pairs in kept.items()}


def _extremes(tensor: torch.Tensor) -> NDArray[np.float32]:
    extremes = np.percentile(tensor.numpy(), [100 - _PERCENTILE, _PERCENTILE])
    return np.asarray(extremes, np.float32)


def quantise(model: Encoder, ranges: dict[str, Range]) -> list[QuantisedConv]:
    """The convolutions in integers, norms folded in."""
    convs = []
    for spec, (weight, bias) in zip(model.shape.specs, model.folded().values(), strict=True):
        w, b = weight[:, :, None].numpy(), bias.numpy()
        scale = np.abs(w).max(axis=(1, 2, 3)).clip(1e-8) / _WEIGHT_LIMIT
        integers = np.round(w / scale[:, None, None, None]).astype(np.int8)
        unit = scale.astype(np.float32) * np.float32(ranges[spec.source].scale)
        convs.append(
            QuantisedConv(spec, integers, scale.astype(np.float32), np.round(b / unit).astype("i4"))
        )
    return convs
