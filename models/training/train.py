"""Train the encoder: `python -m models.training.train --cache FILE --run DIR`.

One thread, a fixed seed, a fixed number of steps: nothing is selected on any held-out part.
Started again with the same folder it goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from models.training import splits
from models.training.architecture import BEAT_DELAY_S, BEAT_RATE_HZ
from models.training.batches import Batch, Sampler
from models.training.data import Recording, load_cache
from models.training.model import Encoder, Logits
from models.training.rebalance import rebalance

__all__ = ["finished_model", "main"]

_RATE = 3e-3
_WARM_UP = 100
_EMA = 0.998
_LONG_FROM = 0.7  # of the steps: from there on, crops of 30 s instead of 20 s
_SETTLE_HOPS = 5  # rhythm is not asked for before
# Class weights, milder than the inverse of how often the label is met.
_RHYTHM_WEIGHT = torch.tensor([0.7, 1.4, 0.9, 1.6])
_VENTRICULAR_WEIGHT = torch.tensor([1.5, 1.5, 0.7])
BEAT_WEIGHTS = (1.0, 1.5, 1.0, 1.0, 1.0)
_CHECKPOINT = "checkpoint.pt"
_COUNTING_SEED = 2000


@dataclass
class Progress:
    """All that a run needs to go on."""

    model: Encoder
    average: Encoder
    optimiser: torch.optim.Optimizer
    step: int = 0
    wall_s: float = 0.0


def _cross_entropy(logits: Tensor, target: Tensor, weight: Tensor, smooth: float) -> Tensor:
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
    beats = torch.from_numpy(batch.beats)
    annotated = torch.from_numpy(batch.has_beats)
    is_beat = (beats[annotated] != splits.IGNORE).float()
    return {
        "rhythm": _cross_entropy(logits.rhythm, rhythm, _RHYTHM_WEIGHT, 0.05),
        "ventricular": _cross_entropy(
            logits.ventricular, torch.from_numpy(batch.ventricular), _VENTRICULAR_WEIGHT, 0.02
        ),
        "beats": _cross_entropy(logits.beats, beats, torch.tensor(BEAT_WEIGHTS), 0.02),
        "peak": functional.binary_cross_entropy_with_logits(logits.peak[annotated], is_beat),
    }


def _rate(step: int, steps: int) -> float:
    """Learning rate: a short warm-up, then half a cosine."""
    warm = min(1.0, (step + 1) / _WARM_UP)
    return _RATE * warm * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def _advance(progress: Progress, batch: Batch, rate: float) -> dict[str, float]:
    """One optimiser step; returns the losses."""
    for group in progress.optimiser.param_groups:
        group["lr"] = rate
    logits = progress.model(torch.from_numpy(batch.signal), torch.from_numpy(batch.valid))
    losses = loss_of(logits, batch)
    progress.optimiser.zero_grad()
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(progress.model.parameters(), 1.0)
    progress.optimiser.step()
    keep = min(_EMA, progress.step / (progress.step + 10))
    with torch.no_grad():
        for mean, now in zip(
            progress.average.state_dict().values(),
            progress.model.state_dict().values(),
            strict=True,
        ):
            mean.copy_(mean * keep + now * (1 - keep) if mean.is_floating_point() else now)
    return {name: value.item() for name, value in losses.items()}


def _start(folder: Path, seed: int) -> Progress:
    """A fresh run, or the one that was stopped in this folder."""
    torch.manual_seed(seed)
    model = Encoder()
    optimiser = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=0.03)
    progress = Progress(model, copy.deepcopy(model), optimiser)
    path = folder / _CHECKPOINT
    if path.exists():
        saved = torch.load(path, weights_only=True)
        model.load_state_dict(saved["model"])
        progress.average.load_state_dict(saved["average"])
        optimiser.load_state_dict(saved["optimiser"])
        progress.step, progress.wall_s = saved["step"], saved["wall_s"]
    return progress


def _save(folder: Path, progress: Progress, seed: int) -> None:
    partial = folder / f"{_CHECKPOINT}.partial"
    torch.save(
        {
            "model": progress.model.state_dict(),
            "average": progress.average.state_dict(),
            "optimiser": progress.optimiser.state_dict(),
            "step": progress.step,
            "wall_s": progress.wall_s,
            "seed": seed,
        },
        partial,
    )
    partial.replace(folder / _CHECKPOINT)


def finished_model(folder: Path, recordings: list[Recording]) -> tuple[Encoder, dict[str, float]]:
    """The averaged weights of a run, rebalanced; and its `step`, `wall_s` and `seed`."""
    saved = torch.load(folder / _CHECKPOINT, weights_only=True)
    model = Encoder()
    model.load_state_dict(saved["average"])
    sampler = Sampler(recordings, BEAT_RATE_HZ, BEAT_DELAY_S, _COUNTING_SEED)
    rebalance(model, recordings, sampler, BEAT_WEIGHTS)
    return model.eval(), {key: saved[key] for key in ("step", "wall_s", "seed")}


def train(cache: Path, folder: Path, steps: int, seed: int) -> None:
    """Run to `steps`, printing and logging the losses, with a checkpoint every 200 steps."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    progress = _start(folder, seed)
    sampler = Sampler(load_cache(cache), BEAT_RATE_HZ, BEAT_DELAY_S, seed + progress.step)
    began = time.monotonic() - progress.wall_s
    sums: dict[str, float] = {}
    with (folder / "log.txt").open("a") as log:
        while progress.step < steps:
            batch = sampler.draw(30 if progress.step >= _LONG_FROM * steps else 20)
            losses = _advance(progress, batch, _rate(progress.step, steps))
            progress.step += 1
            progress.wall_s = time.monotonic() - began
            sums = {name: sums.get(name, 0.0) + value for name, value in losses.items()}
            if progress.step % 50 == 0:
                means = " ".join(f"{name} {value / 50:.3f}" for name, value in sums.items())
                line = f"step {progress.step} of {steps}, {progress.wall_s:.0f} s: {means}"
                print(line, flush=True)
                print(line, file=log, flush=True)
                sums = {}
            if progress.step % 200 == 0 or progress.step == steps:
                _save(folder, progress, seed)


def main(argv: list[str] | None = None) -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m models.training.train", description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path(".data/training.npz"))
    parser.add_argument("--run", type=Path, default=Path(".runs/tcn-s"))
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    train(options.cache, options.run, options.steps, options.seed)


if __name__ == "__main__":
    main()
