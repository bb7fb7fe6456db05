"""Compare beat stages by grouped cross-validation: `python -m models.training.beat_trial`.

Four folds by patient over mitdb DS1 (without 207), arrdb, ltafdb and what is rendered from arrdb;
a tenth of the training part of CinC 2017 is left out of all folds, and the rhythm is judged on it.
Nothing here is a result: it only chooses.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.beat_token import RR_WIDTH
from models.training import splits
from models.training.beat_data import BeatSequence, load_sequences
from models.training.beat_model import BeatNet
from models.training.beat_train import STEPS, train_stage
from models.training.metrics import auroc, f1

__all__ = ["FOLDS", "fold_of", "main"]

FOLDS = 4
_LEARNING_S = 300.0  # ANSI/AAMI EC57: the first 5 minutes are not scored

Judged = tuple[BeatSequence, NDArray[np.float32], NDArray[np.float32]]


def fold_of(sequence: BeatSequence) -> int | None:
    """The fold that the sequence is left out of; None where of none, -1 where of all."""
    if sequence.source == "cinc2017":
        return -1 if splits.is_cinc_trial(sequence.patient) else None
    if sequence.source == "mitdb":
        return splits.MITDB_TRAIN.index(sequence.patient) % FOLDS
    return sequence.fold % FOLDS


def judge(net: BeatNet, sequences: list[BeatSequence]) -> Iterator[Judged]:
    """Probabilities (beats, classes) and (beats, rhythms) of each whole sequence."""
    width = len(net.mean)
    for sequence in sequences:
        tokens = np.zeros((1, len(sequence.beats), width), np.float32)
        tokens[0, :, : sequence.tokens.shape[1]] = sequence.tokens
        with torch.no_grad():
            logits = net(torch.from_numpy(tokens))
        yield (
            sequence,
            torch.softmax(logits.beats[0], 1).numpy(),
            torch.softmax(logits.rhythm[0], 1).numpy(),
        )


def beat_line(judged: list[Judged], learning_s: float) -> str:
    """Gross Se/+P of VEB and SVEB of the most probable class, over the beats of known class."""
    said, truth = [], []
    for sequence, beats, _ in judged:
        scored = (sequence.peak_s >= learning_s) & (sequence.beats != splits.IGNORE)
        said.append(beats[scored].argmax(1))
        truth.append(sequence.beats[scored])
    figures = beat_figures(np.concatenate(said), np.concatenate(truth))
    return "  ".join(f"{name} {se:5.1f}/{ppv:5.1f}" for name, (se, ppv) in figures.items())


def beat_figures(
    said: NDArray[np.integer], truth: NDArray[np.integer]
) -> dict[str, tuple[float, float]]:
    """Se and +P of VEB and SVEB in percent; classes are indices into BEAT_CLASSES.

    As ANSI/AAMI EC57 counts: a fusion or unclassifiable beat called V is no false VEB, and an
    unclassifiable beat called S is no false SVEB.
    """
    figures = {}
    for name, label, forgiven in (("VEB", 2, (3, 4)), ("SVEB", 1, (4,))):
        true = int(((said == label) & (truth == label)).sum())
        false = int(((said == label) & (truth != label) & ~np.isin(truth, forgiven)).sum())
        missed = int(((said != label) & (truth == label)).sum())
        figures[name] = (100 * true / max(1, true + missed), 100 * true / max(1, true + false))
    return figures


def patient_lines(judged: list[Judged], least: int) -> Iterator[str]:
    """A line for each sequence with at least so many supraventricular ectopic beats."""
    for one in judged:
        ectopic = int((one[0].beats == 1).sum())
        if ectopic >= least:
            share = 100 * ectopic / len(one[0].beats)
            yield f"    {one[0].patient:6} {ectopic:5} S ({share:.0f} %)  {beat_line([one], 0.0)}"


def rhythm_line(judged: list[Judged]) -> str:
    """AUROC of AF against normal and other, F1 of AF, mean F1 of normal, AF, other; at the end."""
    score = np.array([rhythm[-1] for _, _, rhythm in judged])
    truth = np.array([int(sequence.rhythm[0]) for sequence, _, _ in judged])
    values = [f1(score.argmax(1), truth, label) for label in range(3)]
    clean = truth != 3
    area = auroc(score[clean, 1], truth[clean] == 1)
    return f"AUROC {area:.4f}  F1(A) {values[1]:.3f}  mean F1 {np.mean(values):.3f}"


def _report(judged: list[Judged]) -> None:
    whole = [j for j in judged if j[0].source == "mitdb" and j[0].variant == "0"]
    print(f"DS1            {beat_line(whole, _LEARNING_S)}")
    print(*patient_lines(whole, 20), sep="\n")
    timing = [j for j in judged if j[0].source == "arrdb" and j[0].variant == "clean"]
    print(f"arrdb timing   {beat_line(timing, 0.0)}")
    print(*patient_lines(timing, 240), sep="\n")
    rendered = [j for j in judged if j[0].source == "rendered"]
    if rendered:
        print(f"rendered       {beat_line(rendered, 0.0)}")


def main(argv: list[str] | None = None) -> None:
    """Train and judge each fold."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.beat_trial",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sequences", type=Path, default=Path(".data/beats-s.npz"))
    parser.add_argument("--run", type=Path, default=Path(".runs/beats-s-trial"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folds", type=int, default=FOLDS, help="how many of them to run")
    options = parser.parse_args(argv)
    sequences = load_sequences(options.sequences)
    trial = [s for s in sequences if fold_of(s) == -1 and _is_scored(s)]
    judged: list[Judged] = []
    for fold in range(options.folds):
        net = train_stage(
            sequences,
            options.run / str(fold),
            options.steps,
            options.seed,
            lambda s, fold=fold: fold_of(s) not in (fold, -1),  # type: ignore[misc]
        )
        judged += judge(net, [s for s in sequences if fold_of(s) == fold and _is_scored(s)])
        if trial:
            print(f"CinC trial     {rhythm_line(list(judge(net, trial)))}", flush=True)
    _report(judged)


def _is_scored(sequence: BeatSequence) -> bool:
    if sequence.tokens.shape[1] == RR_WIDTH:
        return sequence.variant == "clean"
    return sequence.variant == "0" and len(sequence.beats) > 0


if __name__ == "__main__":
    main()
