"""One run of an optimiser: learning rate, averaged weights, checkpoints, log, progress bar."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

__all__ = ["CHECKPOINT", "Run", "average_into", "averaged_weights", "optimise"]

CHECKPOINT = "checkpoint.pt"
_WARM_UP = 100
_EMA = 0.998
_LOG_EVERY = 50
_SAVE_EVERY = 200


@dataclass
class Run:
    """All that a run needs to go on."""

    model: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    seed: int
    step: int = 0
    wall_s: float = 0.0

    @classmethod
    def begin(cls, model: nn.Module, folder: Path, rate: float, seed: int) -> Run:
        """A fresh run, or the one that was stopped in this folder."""
        optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.03)
        run = cls(model, copy.deepcopy(model), optimiser, seed)
        path = folder / CHECKPOINT
        if path.exists():
            saved = torch.load(path, weights_only=True)
            model.load_state_dict(saved["model"])
            run.average.load_state_dict(saved["average"])
            optimiser.load_state_dict(saved["optimiser"])
            run.step, run.wall_s = saved["step"], saved["wall_s"]
        return run

    def save(self, folder: Path) -> None:
        """Write a checkpoint; a stop in the middle leaves the one before."""
        partial = folder / f"{CHECKPOINT}.partial"
        torch.save(
            {
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "step": self.step,
                "wall_s": self.wall_s,
                "seed": self.seed,
            },
            partial,
        )
        partial.replace(folder / CHECKPOINT)


def averaged_weights(folder: Path) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The averaged weights of the run in this folder; and its `step`, `wall_s` and `seed`."""
    saved = torch.load(folder / CHECKPOINT, weights_only=True)
    return saved["average"], {key: saved[key] for key in ("step", "wall_s", "seed")}


def optimise(
    run: Run,
    folder: Path,
    steps: int,
    rate: float,
    losses_at: Callable[[int], dict[str, Tensor]],
) -> None:
    """Go on to `steps`. losses_at: the losses of one batch, by name; their sum is minimised."""
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic() - run.wall_s
    sums: dict[str, float] = {}
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
    )
    with (folder / "log.txt").open("a") as log, Progress(*columns) as bar:
        task = bar.add_task("steps", total=steps, completed=run.step, losses="")
        while run.step < steps:
            losses = losses_at(run.step)
            _advance(run, losses, rate * _share(run.step, steps))
            run.step += 1
            run.wall_s = time.monotonic() - began
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value.item()
            if run.step % _LOG_EVERY == 0:
                means = " ".join(f"{name} {value / _LOG_EVERY:.3f}" for name, value in sums.items())
                print(
                    f"step {run.step} of {steps}, {run.wall_s:.0f} s: {means}", file=log, flush=True
                )
                bar.update(task, losses=means)
                sums = {}
            bar.update(task, completed=run.step)
            if run.step % _SAVE_EVERY == 0 or run.step == steps:
                run.save(folder)


def _share(step: int, steps: int) -> float:
    """Of the learning rate: a short warm-up, then half a cosine."""
    warm = min(1.0, (step + 1) / _WARM_UP)
    return warm * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def _advance(run: Run, losses: dict[str, Tensor], rate: float) -> None:
    """One optimiser step, and one of the average."""
    for group in run.optimiser.param_groups:
        group["lr"] = rate
    run.optimiser.zero_grad()
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
    run.optimiser.step()
    average_into(run.average, run.model, min(_EMA, run.step / (run.step + 10)))


def average_into(average: nn.Module, model: nn.Module, keep: float) -> None:
    """Move the average towards the model."""
    with torch.no_grad():
        pairs = zip(average.state_dict().values(), model.state_dict().values(), strict=True)
        for mean, now in pairs:
            mean.copy_(mean * keep + now * (1 - keep) if mean.is_floating_point() else now)
