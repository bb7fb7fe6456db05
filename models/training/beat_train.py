"""Train the beat stage: `python -m models.training.beat_train --sequences FILE --run DIR`.

One thread, a fixed seed, a fixed number of steps: nothing is selected on any held-out part.
Started again with the same folder it goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.beat_token import RR_WIDTH
from models.training import splits
from models.training.beat_batches import BeatBatch, BeatSampler
from models.training.beat_data import BeatSequence, load_sequences
from models.training.beat_model import PRESENCE, BeatLogits, BeatNet
from models.training.run import Run, averaged_weights, optimise

__all__ = ["finished_stage", "main", "train_stage"]

STEPS = 1500
_RATE = 3e-3
_STANDARDISE_BATCHES = 12
_LEAST_SCALE = 1e-2
_BEAT_WEIGHTS = torch.tensor([1.0, 1.5, 1.5, 1.0, 1.0])
_RHYTHM_SHARE = 0.5


def loss_of(logits: BeatLogits, batch: BeatBatch) -> dict[str, Tensor]:
    """The loss of each head on one batch."""
    return {
        "beats": functional.cross_entropy(
            logits.beats.flatten(0, 1),
            torch.from_numpy(batch.beats).flatten(),
            _BEAT_WEIGHTS,
            ignore_index=splits.IGNORE,
        ),
        "rhythm": _RHYTHM_SHARE
        * functional.cross_entropy(
            logits.rhythm.flatten(0, 1),
            torch.from_numpy(batch.rhythm).flatten(),
            ignore_index=splits.IGNORE,
            label_smoothing=0.05,
        ),
    }


def standardise(net: BeatNet, sampler: BeatSampler) -> None:
    """Set by what a token's numbers are divided, from those that are present."""
    tokens = np.concatenate([_present(sampler.draw()) for _ in range(_STANDARDISE_BATCHES)])
    net.mean.copy_(torch.from_numpy(np.nanmean(tokens, 0)))
    net.scale.copy_(torch.from_numpy(np.maximum(np.nanstd(tokens, 0), _LEAST_SCALE)))


def _present(batch: BeatBatch) -> NDArray[np.float32]:
    """Tokens (beats, width) of the batch, their shape NaN where there is none."""
    tokens: NDArray[np.float32] = batch.tokens[(batch.tokens != 0).any(2)]
    tokens[tokens[:, PRESENCE] == 0, RR_WIDTH:] = np.nan
    return tokens


def train_stage(
    sequences: list[BeatSequence],
    folder: Path,
    steps: int,
    seed: int,
    keep: Callable[[BeatSequence], bool] = lambda _: True,
) -> BeatNet:
    """Run to `steps` on the sequences that `keep` lets through; the averaged network."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    sampler = BeatSampler(sequences, seed, keep)
    net = BeatNet(sampler.width)
    standardise(net, sampler)
    run = Run.begin(net, folder, _RATE, seed)
    sampler = BeatSampler(sequences, seed + 1 + run.step, keep)

    def losses_at(_: int) -> dict[str, Tensor]:
        batch = sampler.draw()
        return loss_of(net(torch.from_numpy(batch.tokens)), batch)

    optimise(run, folder, steps, _RATE, losses_at)
    return finished_stage(folder)[0]


def finished_stage(folder: Path) -> tuple[BeatNet, dict[str, float]]:
    """The averaged weights of a run; and its `step`, `wall_s` and `seed`."""
    weights, facts = averaged_weights(folder)
    net = BeatNet(len(weights["mean"]))
    net.load_state_dict(weights)
    return net.eval(), facts


def main(argv: list[str] | None = None) -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.beat_train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sequences", type=Path, default=Path(".data/beats-s.npz"))
    parser.add_argument("--run", type=Path, default=Path(".runs/beats-s"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    train_stage(load_sequences(options.sequences), options.run, options.steps, options.seed)


if __name__ == "__main__":
    main()
