"""The network: a causal convolution stack at falling frame rates, one lead at a time.

It consists only of what streams exactly in int8: dense convolutions over a carried past,
ReLU and residual adds; then float heads on the pooled features of each hop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.architecture import (
    HOP_S,
    HOP_SAMPLES,
    KEEP,
    NORMALISATION,
    SIZES,
    ConvSpec,
)

__all__ = ["Encoder", "Logits", "normalise", "pool"]


@dataclass(frozen=True)
class Logits:
    """rhythm (batch, hops, 4), ventricular and quality (batch, hops, 3), qrs (batch, samples).

    embedding: (batch, hops, width), what the rhythm is told from.
    """

    rhythm: Tensor
    ventricular: Tensor
    quality: Tensor
    qrs: Tensor
    embedding: Tensor


class Encoder(nn.Module):
    """Maps conditioned microvolts of one lead to logits; state starts as silence.

    size: a key of `architecture.SIZES`.
    """

    def __init__(self, size: str) -> None:
        super().__init__()
        self.shape = SIZES[size]
        specs = self.shape.specs
        self.convs = nn.ModuleDict({spec.name: _conv(spec) for spec in specs})
        self.norms = nn.ModuleDict({s.name: nn.BatchNorm1d(s.c_out) for s in specs if s.norm})
        self.dropout = nn.Dropout(0.15)
        self.rhythm = nn.Linear(self.shape.embedding, 4)
        self.ventricular = nn.Linear(self.shape.embedding, 3)
        self.quality = nn.Linear(self.shape.embedding, 3)

    def forward(self, signal: Tensor, valid: Tensor | None = None) -> Logits:
        """signal: (batch, samples), whole hops. valid: (batch, hops), weight of each hop."""
        hops = signal.shape[1] // HOP_SAMPLES
        valid = torch.ones(len(signal), hops) if valid is None else valid
        tensors = self.tensors(normalise(signal))
        now = pool(tensors["feature"], hops)
        embedding = _running(now, valid[:, :, None])
        return Logits(
            rhythm=self.rhythm(self.dropout(embedding)),
            ventricular=self.ventricular(self.dropout(now)),
            quality=self.quality(now),
            qrs=tensors["peak"].transpose(1, 2).reshape(signal.shape),
            embedding=embedding,
        )

    def tensors(self, x: Tensor) -> dict[str, Tensor]:
        """Every named tensor (batch, channels, frames) for the normalised signal."""
        tensors = {"x": x[:, None]}
        for spec in self.shape.specs:
            y = self.convs[spec.name](functional.pad(tensors[spec.source], (spec.past, 0)))
            y = self.norms[spec.name](y) if spec.norm else y
            y = functional.relu(y) if spec.relu else y
            tensors[spec.name] = y + tensors[spec.adds] if spec.adds else y
        return tensors

    def folded(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Weight (c_out, c_in, kernel) and bias of each convolution, norms folded in."""
        folded = {}
        for spec in self.shape.specs:
            conv = cast(nn.Conv1d, self.convs[spec.name])
            weight, bias = conv.weight.detach(), _known(conv.bias).detach()
            if spec.norm:
                norm = cast(nn.BatchNorm1d, self.norms[spec.name])
                gain = (norm.weight / torch.sqrt(_known(norm.running_var) + norm.eps)).detach()
                weight = weight * gain[:, None, None]
                bias = (bias - _known(norm.running_mean)) * gain + norm.bias.detach()
            folded[spec.name] = (weight, bias)
        return folded


def _conv(spec: ConvSpec) -> nn.Conv1d:
    conv = nn.Conv1d(spec.c_in, spec.c_out, spec.kernel, stride=spec.stride, dilation=spec.dilation)
    if spec.adds:  # residual blocks start near the identity
        conv.weight.data *= 0.1
        _known(conv.bias).data *= 0.1
    return conv


def _known(tensor: Tensor | None) -> Tensor:
    """A tensor that torch's types call optional, and that is always there in this network."""
    assert tensor is not None
    return tensor


def normalise(signal: Tensor) -> Tensor:
    """Divide by the running mean of |x|, as `models.manifest.RunningMeanAbs` defines it."""
    facts = NORMALISATION
    hops = signal.reshape(len(signal), -1, HOP_SAMPLES)
    keep = math.exp(-HOP_S / facts.tau_s)
    level = hops.abs().mean(2)
    prior = facts.prior_s / facts.tau_s
    total, weight = facts.prior_uv * prior * torch.ones(len(signal)), prior
    scales = [total / weight]
    for k in range(hops.shape[1]):
        total, weight = keep * total + (1 - keep) * level[:, k], keep * weight + (1 - keep)
        scales.append(total / weight)
    scale = torch.stack(scales, 1).clamp(min=facts.floor_uv)[:, :, None]
    ramp = torch.arange(1, HOP_SAMPLES + 1) / HOP_SAMPLES
    divisor = scale[:, :-1] + (scale[:, 1:] - scale[:, :-1]) * ramp
    return (hops / divisor).clamp(-facts.clip, facts.clip).reshape(signal.shape)


def pool(features: Tensor, hops: int) -> Tensor:
    """Mean and maximum of the features within each hop, (batch, hops, embedding)."""
    grouped = features.reshape(*features.shape[:2], hops, -1)
    return torch.cat([grouped.mean(3), grouped.amax(3)], 1).transpose(1, 2)


def _running(pooled: Tensor, valid: Tensor) -> Tensor:
    """Weighted mean from the first hop to each hop, that fades by KEEP a hop."""
    total, weight = torch.zeros_like(pooled[:, 0]), torch.zeros_like(valid[:, 0])
    means = []
    for k in range(pooled.shape[1]):
        total = KEEP * total + valid[:, k] * pooled[:, k]
        weight = KEEP * weight + valid[:, k]
        means.append(total / (weight + 1e-6))
    return torch.stack(means, 1)
