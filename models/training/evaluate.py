"""Measure a bundle, float and int8, on what was set aside, and write it into the bundle.

`python -m models.training.evaluate --size s`. Nothing is tuned here: labels are the most probable
ones, alarms of VT and VF are probabilities of at least 0.5. Beat classes are judged by `edge
evaluate`, along the whole path.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from models.bundle import load_bundle
from models.encoder import Encoder as StreamingEncoder
from models.manifest import Figure
from models.package import CARD_NAME, write_bundle
from models.registry import open_encoder
from models.training import splits
from models.training.architecture import HOP_SAMPLES, RATE_HZ, SIZES
from models.training.data import Recording, load_cache
from models.training.metrics import auroc, f1, sensitivity_specificity
from models.training.model import Encoder
from models.training.train import finished_model
from models.training.trial import peaks_s, qrs_counts

__all__ = ["main"]

_COMMAND = "python -m models.training.evaluate"
_LEARNING_S = 300  # EC57: the first 5 minutes of a record are not scored
_SETTLE_HOPS = 8
_TIMED_STEPS = 3000

Array = NDArray[np.float32]
Precision = Literal["float32", "int8"]


@dataclass(frozen=True)
class Heard:
    """Probabilities over one lead: rhythm (hops, 4), ventricular (hops, 2), qrs (samples,)."""

    rhythm: Array
    ventricular: Array
    qrs: Array


Listener = Callable[[Array], Heard]


def float_listener(model: Encoder) -> Listener:
    """Hears with the trained float network."""

    def listen(lead: Array) -> Heard:
        with torch.no_grad():
            logits = model(torch.from_numpy(lead)[None])
        rhythm, ventricular = (
            torch.softmax(tensor[0], -1).numpy() for tensor in (logits.rhythm, logits.ventricular)
        )
        return Heard(rhythm, ventricular[:, :2], torch.sigmoid(logits.qrs[0]).numpy())

    return listen


def bundle_listener(encoder: StreamingEncoder) -> Listener:
    """Hears with a bundle's encoder, hop by hop."""

    def listen(lead: Array) -> Heard:
        encoder.reset()
        steps = [dict(encoder.step(hop[None])) for hop in lead.reshape(-1, HOP_SAMPLES)]
        columns = {
            name: np.stack([step[name] for step in steps])
            for name in ("rhythm", "ventricular", "qrs")
        }
        return Heard(columns["rhythm"], columns["ventricular"], columns["qrs"].ravel())

    return listen


def _lead(recording: Recording) -> Array:
    return np.ascontiguousarray(recording.signal[0, : recording.seconds * RATE_HZ])


Rows = Iterator[tuple[str, float, str, str]]  # name, value, unit, split


def rhythm_rows(recordings: list[Recording], listen: Listener) -> Rows:
    """CinC 2017: a recording's probabilities are their mean from its ninth second on."""
    kept = [r for r in recordings if r.source == "cinc2017" and splits.is_cinc_dev(r.name)]
    heard = [listen(_lead(r)).rhythm for r in kept]
    score = np.array([p[min(_SETTLE_HOPS, len(p) - 1) :].mean(axis=0) for p in heard])
    truth = np.array([r.rhythm[0] for r in kept])
    split = f"CinC 2017, {len(kept)} recordings set aside"
    clean = truth != 3
    yield "AF AUROC (A against N and O)", auroc(score[clean, 1], truth[clean] == 1), "", split
    values = [f1(score.argmax(axis=1), truth, label) for label in range(4)]
    for name, value in zip(("N", "A", "O", "~"), values, strict=True):
        yield f"F1 {name}", value, "", split
    yield "F1 mean of N, A, O", float(np.mean(values[:3])), "", split


def qrs_rows(recordings: list[Recording], listen: Listener) -> Rows:
    """mitdb DS2: QRS complexes after the first 5 minutes, first signal, 150 ms window."""
    matched = missed = false = 0
    for r in recordings:
        if r.source != "mitdb" or r.name not in splits.MITDB_DS2:
            continue
        found = peaks_s(listen(_lead(r)).qrs)
        counts = qrs_counts(found[found >= _LEARNING_S], r.beat_s[r.beat_s >= _LEARNING_S])
        matched, missed, false = (
            total + count for total, count in zip((matched, missed, false), counts, strict=True)
        )
    split = "mitdb DS2, first signal, no refinement"
    yield "QRS Se", 100 * matched / max(1, matched + missed), "%", split
    yield "QRS +P", 100 * matched / max(1, matched + false), "%", split


def ventricular_rows(recordings: list[Recording], listen: Listener) -> Rows:
    """vfdb: whole seconds of one rhythm in the records set aside, first signal."""
    kept = [r for r in recordings if r.source == "vfdb" and r.name in splits.VFDB_TEST]
    split = f"vfdb {' '.join(splits.VFDB_TEST)}, seconds, first signal"
    said = np.concatenate([listen(_lead(r)).ventricular for r in kept])
    truth = np.concatenate([r.ventricular for r in kept])
    known = truth != splits.IGNORE
    said, truth = said[known], truth[known]
    for name, score, label in (
        ("VT", said[:, 0], truth == 0),
        ("VF or flutter", said[:, 1], truth == 1),
        ("VT, VF or flutter", said.sum(axis=1), truth < 2),
    ):
        se, sp = sensitivity_specificity(score >= 0.5, label)
        yield f"{name} Se", se, "%", split
        yield f"{name} Sp", sp, "%", split
        yield f"{name} AUROC", auroc(score, label), "", split


def false_alarm_rows(recordings: list[Recording], listen: Listener) -> Rows:
    """mitdb DS2: no VF at all, and little VT, whose seconds are left out here."""
    kept = [r for r in recordings if r.source == "mitdb" and r.name in splits.MITDB_DS2]
    said = np.concatenate([listen(_lead(r)).ventricular for r in kept])
    calm = np.concatenate([r.ventricular for r in kept]) == 2
    split = "mitdb DS2 without VT, seconds, first signal"
    yield "VF or flutter Sp", 100 * float((said[calm, 1] < 0.5).mean()), "%", split
    yield "VT, VF or flutter Sp", 100 * float((said[calm].sum(axis=1) < 0.5).mean()), "%", split


def speed_rows(encoder: StreamingEncoder) -> Rows:
    """CPU time of a step, normalisation and fusion included."""
    hop = np.random.default_rng(0).normal(0, 200, (1, HOP_SAMPLES)).astype(np.float32)
    for _ in range(_TIMED_STEPS // 10):
        encoder.step(hop)
    began = time.process_time()
    for _ in range(_TIMED_STEPS):
        encoder.step(hop)
    micros = (time.process_time() - began) / _TIMED_STEPS * 1e6
    yield "CPU time a step of one lead", micros, "us", f"one {platform.machine()} core"


def measure(recordings: list[Recording], listen: Listener) -> Rows:
    """All clinical figures of one listener."""
    yield from rhythm_rows(recordings, listen)
    yield from qrs_rows(recordings, listen)
    yield from ventricular_rows(recordings, listen)
    yield from false_alarm_rows(recordings, listen)


def agreement_rows(recordings: list[Recording], one: Listener, other: Listener) -> Rows:
    """How often float and int8 say the same on CinC 2017 recordings set aside."""
    kept = [r for r in recordings if r.source == "cinc2017" and splits.is_cinc_dev(r.name)][:200]
    pairs = [(one(_lead(r)), other(_lead(r))) for r in kept]
    split = f"CinC 2017, {len(kept)} recordings set aside, every hop"
    same = [(a.rhythm.argmax(1) == b.rhythm.argmax(1)) for a, b in pairs]
    yield "same rhythm as float32", 100 * float(np.concatenate(same).mean()), "%", split
    gap = [np.abs(a.rhythm - b.rhythm).max(axis=1) for a, b in pairs]
    yield "rhythm probability, mean deviation", float(np.concatenate(gap).mean()), "", split


def _figures(rows: Rows, precision: Precision) -> Iterator[Figure]:
    for name, value, unit, split in rows:
        print(f"{precision:8} {name:36} {value:10.4f} {unit:3} {split}", flush=True)
        yield Figure(
            name=name,
            value=round(value, 4),
            unit=unit,
            precision=precision,
            split=split,
            command=_COMMAND,
        )


def evaluate(run: Path, size: str, folder: Path, cache: Path) -> None:
    """Measure, and write the figures into the bundle's manifest and card."""
    torch.set_num_threads(1)
    recordings = load_cache(cache / "training.npz")
    bundle = load_bundle(folder)
    encoder = open_encoder(bundle, 1, "cpu")
    model, _ = finished_model(run, size)
    full, int8 = float_listener(model), bundle_listener(encoder)
    figures = (
        *_figures(measure(recordings, int8), "int8"),
        *_figures(agreement_rows(recordings, full, int8), "int8"),
        *_figures(speed_rows(encoder), "int8"),
        *_figures(measure(recordings, full), "float32"),
    )
    files = {name: data for name, data in bundle.files.items() if name != CARD_NAME}
    roles = {entry.name: entry.role for entry in bundle.manifest.files}
    manifest = msgspec.structs.replace(bundle.manifest, figures=figures)
    write_bundle(folder, manifest, files, roles)


def main(argv: list[str] | None = None) -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(prog=_COMMAND, description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--size", choices=tuple(SIZES), default="s")
    parser.add_argument("--run", type=Path, default=None, help="default: .runs/SIZE")
    parser.add_argument("--bundle", type=Path, help="default: models/zoo/tcn-SIZE")
    parser.add_argument("--cache", type=Path, default=Path(".data"), help="folder of the caches")
    options = parser.parse_args(argv)
    folder = options.bundle or Path("models/zoo") / f"tcn-{options.size}"
    run = options.run or Path(".runs") / options.size
    evaluate(run, options.size, folder, options.cache)


if __name__ == "__main__":
    main()
