"""The network of the beat stage: what it has heard of the patient, updated beat by beat."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.beat_shape import DISTANCES
from models.beat_token import RR_WIDTH
from models.training import splits

__all__ = ["MAX_KEEP", "MEAN_KEEP", "PRESENCE", "TOKEN_CLIP", "BeatLogits", "BeatNet"]

HIDDEN = 48
SHAPE = 40
MIXED = 32
PRESENCE = RR_WIDTH + DISTANCES - 1  # of a token: 1 where there is a shape
TOKEN_CLIP = 6.0  # standard deviations
MEAN_KEEP = 0.97  # a beat; the running mean of the state spans about 33 beats
MAX_KEEP = 0.99


@dataclass(frozen=True)
class BeatLogits:
    """beats: (batch, beats, 5). rhythm: (batch, beats, 4), of all up to that beat."""

    beats: Tensor
    rhythm: Tensor


class BeatNet(nn.Module):
    """Two branches: the timing of the beats so far (a GRU), and the shape of this one.

    The timing alone gives logits, so that sequences without a signal teach it too; the shape,
    seen together with the timing, corrects them where there is a signal. The running mean and
    maximum of what the GRU knows give the rhythm.

    width: of a token. mean, scale: (width,), what tokens are standardised by.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.timing = nn.Linear(RR_WIDTH, HIDDEN)
        self.gru = nn.GRU(HIDDEN, HIDDEN, batch_first=True)
        self.shape = nn.Linear(width - RR_WIDTH, SHAPE)
        self.both = nn.Linear(SHAPE + 2 * HIDDEN, MIXED)
        self.dropout = nn.Dropout(0.2)
        self.beats = nn.Linear(2 * HIDDEN, len(splits.BEAT_CLASSES))
        self.correction = nn.Linear(MIXED, len(splits.BEAT_CLASSES))
        self.rhythm = nn.Linear(3 * HIDDEN, len(splits.RHYTHMS))

    def forward(self, tokens: Tensor) -> BeatLogits:
        """tokens: (batch, beats, width), raw, from the first beat of each stream."""
        present = tokens[:, :, PRESENCE : PRESENCE + 1]
        scaled = ((tokens - self.mean) / self.scale).clamp(-TOKEN_CLIP, TOKEN_CLIP)
        scaled = self.dropout(scaled)
        told = torch.relu(self.timing(scaled[:, :, :RR_WIDTH]))
        seen = torch.relu(self.shape(scaled[:, :, RR_WIDTH:]))
        hidden, _ = self.gru(told)
        heard = self.dropout(torch.cat([hidden, told], 2))
        mixed = torch.relu(self.both(torch.cat([seen, heard], 2)))
        context = self.dropout(torch.cat([hidden, *_running(hidden)], 2))
        beats = self.beats(heard) + present * self.correction(mixed)
        return BeatLogits(beats, self.rhythm(context))


def _running(hidden: Tensor) -> tuple[Tensor, Tensor]:
    """Running mean and fading maximum, from the first beat to each beat."""
    total = torch.zeros_like(hidden[:, 0])
    highest = torch.full_like(total, -1.0)
    weight = 0.0
    means, highests = [], []
    for now in hidden.unbind(1):
        total = MEAN_KEEP * total + now
        weight = MEAN_KEEP * weight + 1.0
        highest = torch.maximum(MAX_KEEP * (highest + 1.0) - 1.0, now)
        means.append(total / weight)
        highests.append(highest)
    return torch.stack(means, 1), torch.stack(highests, 1)
