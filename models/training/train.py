"""Train the encoder: `python -m models.training.train --size s --run DIR --init FILE`.

One thread, a fixed seed, a fixed number of steps: nothing is selected on any held-out part.
Started again with the same folder it goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from models.training import splits
from models.training.architecture import SIZES
from models.training.batches import Batch, Sampler
from models.training.data import read_all_caches
from models.training.model import Encoder, Logits
from models.training.run import Run, averaged_weights, optimise

__all__ = ["finished_model", "loss_of", "main", "train"]

_RATE = 3e-3
_LONG_FROM = 0.7  # of the steps: from there on, crops of 30 s instead of 20 s
_SETTLE_HOPS = 5  # rhythm is not asked for before
# Class weights, milder than the inverse of how often the label is met.
_RHYTHM_WEIGHT = torch.tensor([0.7, 1.4, 0.9, 1.6])
_VENTRICULAR_WEIGHT = torch.tensor([1.5, 1.5, 0.7])
_QRS_WEIGHT = 8.0
_QUALITY_WEIGHT = 0.3


def _cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | None, smooth: float) -> Tensor:
    return functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]),
        target.reshape(-1),
        weight,
        ignore_index=splits.IGNORE,
        label_smoothing=smooth,
    )


def loss_of(logits: Logits, batch: Batch) -> dict[str, Tensor]:
    """The loss of each head on one batch."""
    rhythm = torch.from_numpy(batch.rhythm).clone()
    rhythm[:, :_SETTLE_HOPS] = splits.IGNORE
    weight = torch.from_numpy(batch.qrs_weight)
    qrs = functional.binary_cross_entropy_with_logits(
        logits.qrs, torch.from_numpy(batch.qrs), weight, reduction="sum"
    )
    quality = _cross_entropy(logits.quality, torch.from_numpy(batch.quality), None, 0.02)
    return {
        "rhythm": _cross_entropy(logits.rhythm, rhythm, _RHYTHM_WEIGHT, 0.05),
        "ventricular": _cross_entropy(
            logits.ventricular, torch.from_numpy(batch.ventricular), _VENTRICULAR_WEIGHT, 0.02
        ),
        "quality": _QUALITY_WEIGHT * quality,
        "qrs": _QRS_WEIGHT * qrs / (weight.sum() + 1.0),
    }


def finished_model(folder: Path, size: str) -> tuple[Encoder, dict[str, float]]:
    """The averaged weights of a run; and its `step`, `wall_s` and `seed`."""
    weights, facts = averaged_weights(folder)
    model = Encoder(size)
    model.load_state_dict(weights)
    return model.eval(), facts


def train(sampler: Sampler, run: Run, folder: Path, steps: int) -> None:
    """Go on to `steps`."""

    def losses_at(step: int) -> dict[str, Tensor]:
        batch = sampler.draw(30 if step >= _LONG_FROM * steps else 20)
        logits = run.model(torch.from_numpy(batch.signal), torch.from_numpy(batch.valid))
        return loss_of(logits, batch)

    optimise(run, folder, steps, _RATE, losses_at)


def main(argv: list[str] | None = None) -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m models.training.train", description=__doc__)
    parser.add_argument("--size", choices=tuple(SIZES), default="s")
    parser.add_argument("--cache", type=Path, default=Path(".data"), help="folder of the caches")
    parser.add_argument("--run", type=Path, default=None, help="default: .runs/SIZE")
    parser.add_argument("--init", type=Path, help="folder of a pre-training run")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--leave-out", choices=splits.LEAVE_OUT, default="nothing")
    options = parser.parse_args(argv)
    folder = options.run or Path(".runs") / options.size
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    model = Encoder(options.size)
    if options.init is not None:
        model.load_state_dict(averaged_weights(options.init)[0], strict=False)
    run = Run.begin(model, folder, _RATE, options.seed)
    recordings = read_all_caches(options.cache)
    sampler = Sampler(recordings, options.seed + run.step, options.leave_out)
    train(sampler, run, folder, options.steps)


if __name__ == "__main__":
    main()
