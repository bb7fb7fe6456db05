"""Rhythm of short recordings: the CinC 2017 challenge (Clifford et al., Computing in Cardiology
44, 2017).

Decision rule, causal and known at the end of a recording: the mean of the encoder's rhythm
probabilities from the ninth second on (the last one alone where there is no ninth); the most
probable label decides. Every recording meets an encoder without a past.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.evaluate.figures import Row, percent
from edge.evaluate.listen import Heard
from models.training.metrics import auroc, f1

__all__ = ["LABELS", "cinc_row", "cinc_summary"]

LABELS = {"normal": "N", "af": "A", "other": "O", "noise": "~"}
SETTLE_HOPS = 8
SCORED = "NAO"
NOISY = "~"


def cinc_row(record: str, label: str, heard: Heard) -> Row:
    """One recording. said is None, and af 0, where the encoder gave no rhythm."""
    settled = heard.rhythm[SETTLE_HOPS:] or heard.rhythm[-1:]
    known = [name for name in LABELS if settled and name in settled[-1]]
    mean = {name: float(np.mean([each[name] for each in settled])) for name in known}
    said = LABELS[max(mean, key=mean.__getitem__)] if mean else None
    return {"record": record, "reference": label, "said": said, "af": mean.get("af", 0.0)}


def cinc_summary(rows: Sequence[Row]) -> Row:
    """AF (A against N and O, noisy recordings left out), and the challenge's F1 over all."""
    truth = np.array([row["reference"] for row in rows])
    said = np.array([row["said"] or "" for row in rows])
    codes = {label: k for k, label in enumerate(("N", "A", "O", "~", ""))}
    truth_codes = np.array([codes[label] for label in truth], int)
    said_codes = np.array([codes[label] for label in said], int)
    scores = {label: f1(said_codes, truth_codes, codes[label]) for label in SCORED}
    clean = [row for row in rows if row["reference"] != NOISY]
    mean = sum(scores.values()) / len(scores)
    confusion = {
        label: {other: int(((truth == label) & (said == other)).sum()) for other in "NAO~"}
        for label in "NAO~"
    }
    return {"gross": {"af": _af(clean), "f1": {**scores, "mean": mean}}, "confusion": confusion}


def _af(rows: Sequence[Row]) -> Row:
    truth = np.array([row["reference"] == "A" for row in rows], bool)
    said = np.array([row["said"] == "A" for row in rows], bool)
    score = np.array([row["af"] for row in rows], float)
    both, of_each = int((said & truth).sum()), int(said.sum() + truth.sum())
    mixed = truth.any() and not truth.all()
    return {
        "auroc": auroc(score, truth) if mixed else None,
        "se": percent(both, int(truth.sum())),
        "sp": percent(int((~said & ~truth).sum()), int((~truth).sum())),
        "ppv": percent(both, int(said.sum())),
        "f1": 2 * both / of_each if of_each else None,
    }
