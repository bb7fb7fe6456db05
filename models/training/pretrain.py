"""Pre-train the encoder without labels: `python -m models.training.pretrain --method both`.

- `latent`: latent prediction, as in I-JEPA (Assran et al. 2023). The network hears a signal from
  which stretches are cut out, and a predictor says what a slow average of the network makes of
  the whole signal there.
- `contrast`: two disturbed crops of one person are to be more alike than crops of different
  persons (InfoNCE; Kiyasseh et al. 2021, CLOCS).
- `both`: the sum of the two.

It hears every recording that may be trained on, labelled or not, and no other.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training import splits
from models.training.architecture import FRAME_RATE_HZ, HOP_SAMPLES, RATE_HZ, SIZES
from models.training.batches import Sampler
from models.training.data import read_all_caches
from models.training.model import Encoder, normalise, pool
from models.training.run import CHECKPOINT, Run, average_into, optimise

__all__ = ["METHODS", "Student", "main", "masked"]

METHODS = ("latent", "contrast", "both")
_RATE = 2e-3
_PERSONS = 24
_SECONDS = 10
_TEACHER_KEEP = 0.996
_TEMPERATURE = 0.1
_MASKED = 0.4


class Student(nn.Module):
    """The encoder, with a predictor of latents and a projection for contrast.

    `encoder.` and the heads of the encoder are all that training goes on with.
    """

    def __init__(self, size: str) -> None:
        super().__init__()
        self.encoder = Encoder(size)
        shape = self.encoder.shape
        self.predict_frame = _mlp(shape.width, shape.width)
        self.predict_feature = _mlp(shape.features, shape.features)
        self.project = _mlp(shape.embedding, 64)


def _mlp(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 128), nn.ReLU(), nn.Linear(128, outputs))


def masked(samples: int, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """What is cut out: stretches of 0.25 to 1.5 s, about 40 % of all."""
    mask = np.zeros(samples, bool)
    while mask.mean() < _MASKED:
        length = int(rng.uniform(0.25, 1.5) * RATE_HZ)
        start = int(rng.integers(samples))
        mask[start : start + length] = True
    return mask


def latent_loss(student: Student, teacher: Encoder, x: Tensor, mask: Tensor) -> Tensor:
    """How far predictions at the cut-out frames are from the teacher's latents, each whitened."""
    with torch.no_grad():
        target = teacher.tensors(x)
    heard = student.encoder.tensors(x * ~mask)
    total = torch.zeros(())
    for name, predict, rate_hz in (
        (student.encoder.shape.frames, student.predict_frame, FRAME_RATE_HZ),
        ("feature", student.predict_feature, 4),
    ):
        step = RATE_HZ // rate_hz
        hidden = mask.reshape(len(mask), -1, step).float().mean(2) > 0.5
        want = functional.layer_norm(target[name].transpose(1, 2), target[name].shape[1:2])
        said = predict(heard[name].transpose(1, 2))
        total = total + functional.smooth_l1_loss(said[hidden], want[hidden])
    return total


def contrast_loss(student: Student, first: Tensor, second: Tensor) -> Tensor:
    """InfoNCE between crops of the same persons, both ways."""
    a, b = (functional.normalize(_described(student, x), dim=1) for x in (first, second))
    likeness = a @ b.T / _TEMPERATURE
    same = torch.arange(len(a))
    return (
        functional.cross_entropy(likeness, same) + functional.cross_entropy(likeness.T, same)
    ) / 2


def _described(student: Student, x: Tensor) -> Tensor:
    features = student.encoder.tensors(x)["feature"]
    return cast(Tensor, student.project(pool(features, x.shape[1] // HOP_SAMPLES).mean(1)))


def pretrain(sampler: Sampler, run: Run, folder: Path, steps: int, method: str) -> None:
    """Go on to `steps`."""
    student = cast(Student, run.model)
    teacher = copy.deepcopy(student.encoder)
    rng = np.random.default_rng(run.seed + run.step)

    def losses_at(_step: int) -> dict[str, Tensor]:
        average_into(teacher, student.encoder, _TEACHER_KEEP)
        pair = [normalise(torch.from_numpy(x)) for x in sampler.pairs(_PERSONS, _SECONDS)]
        losses: dict[str, Tensor] = {}
        if method != "contrast":
            x = torch.cat(pair)
            mask = torch.from_numpy(np.stack([masked(x.shape[1], rng) for _ in x]))
            losses["latent"] = latent_loss(student, teacher, x, mask)
        if method != "latent":
            losses["contrast"] = contrast_loss(student, *pair)
        return losses

    optimise(run, folder, steps, _RATE, losses_at)


def export_encoder(run: Run, folder: Path) -> None:
    """The encoder's averaged weights alone, as a run that training can start from."""
    average = cast(Student, run.average).encoder
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"step": run.step, "wall_s": run.wall_s, "seed": run.seed}
    torch.save({"average": average.state_dict(), **facts}, folder / CHECKPOINT)


def main(argv: list[str] | None = None) -> None:
    """Parse the command line and pre-train."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.pretrain", description=str(__doc__).split("\n", 1)[0]
    )
    parser.add_argument("--size", choices=tuple(SIZES), default="s")
    parser.add_argument("--method", choices=METHODS, default="both")
    parser.add_argument("--cache", type=Path, default=Path(".data"), help="folder of the caches")
    parser.add_argument("--run", type=Path, default=None, help="default: .runs/SIZE-METHOD")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--leave-out", choices=splits.LEAVE_OUT, default="nothing")
    options = parser.parse_args(argv)
    folder = options.run or Path(".runs") / f"{options.size}-{options.method}"
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    run = Run.begin(Student(options.size), folder, _RATE, options.seed)
    recordings = read_all_caches(options.cache)
    sampler = Sampler(recordings, options.seed + run.step, options.leave_out)
    pretrain(sampler, run, folder, options.steps, options.method)
    export_encoder(run, folder / "encoder")


if __name__ == "__main__":
    main()
