"""Quantise a training run and write its bundle: `python -m models.training.export --size s`."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from models.beat_window import WIDTH
from models.bundle import Bundle, load_bundle
from models.golden import BeatVector, GoldenVector, judge_beats, record_golden
from models.manifest import BeatStage, Manifest
from models.onnx_encoder import OnnxEncoder
from models.package import Role, write_bundle
from models.training.architecture import HOP_SAMPLES, RATE_HZ, SIZES
from models.training.batches import Sampler
from models.training.data import read_all_caches
from models.training.describe import GOLDEN_NAME, describe, describe_training
from models.training.step_graphs import float_model, int8_model
from models.training.train import finished_model

__all__ = ["main"]

_GOLDEN_HOPS = 12
_GOLDEN_BEATS = 24
_CALIBRATION_SEED = 1000
_BEATS_NAME = "beats.onnx"
_ROLES: Mapping[str, Role] = {_BEATS_NAME: "beat-stage"}


def golden_hops() -> list[list[list[float]]]:
    """A made-up heart in one lead: regular beats, then flutter, then wide irregular beats."""
    seconds = np.arange(_GOLDEN_HOPS * HOP_SAMPLES) / RATE_HZ
    signal = 40 * np.sin(2 * np.pi * 0.3 * seconds)
    narrow, wide = np.arange(0.4, 5, 0.8), 8.2 + np.cumsum([0.4, 0.7, 0.35, 0.9, 0.5, 0.45])
    for peak_s, width_s, height in [(p, 0.012, 1000) for p in narrow] + [
        (p, 0.06, 1400) for p in wide
    ]:
        signal += height * np.exp(-(((seconds - peak_s) / width_s) ** 2) / 2)
        signal += 200 * np.exp(-(((seconds - peak_s - 0.25) / 0.05) ** 2) / 2)
    flutter = (seconds > 5.2) & (seconds < 8.2)
    signal += flutter * 700 * np.sin(2 * np.pi * 4.5 * seconds)
    hops = np.round(signal).reshape(_GOLDEN_HOPS, 1, HOP_SAMPLES)
    return [[[float(v) for v in lead] for lead in hop] for hop in hops]


def _golden_beats(bundle: Bundle) -> BeatVector:
    """Narrow beats, every fourth of them early and wide, and what the stage says of them."""
    early = np.arange(_GOLDEN_BEATS) % 4 == 3
    peaks_s = np.round(1 + 0.8 * np.arange(_GOLDEN_BEATS) - 0.3 * early, 3).tolist()
    grid = np.arange(WIDTH) - WIDTH / 2
    narrow, wide = (height * np.exp(-((grid / w) ** 2)) for height, w in ((900, 1.5), (-1500, 6)))
    windows_uv = np.round(np.where(early[:, None], wide, narrow), 1).tolist()
    return BeatVector(peaks_s, windows_uv, judge_beats(bundle, peaks_s, windows_uv))


def _with_golden(manifest: Manifest, files: dict[str, bytes]) -> dict[str, bytes]:
    """The files with the answers of the model among them, by way of a bundle without answers."""
    with tempfile.TemporaryDirectory() as folder:
        empty = msgspec.json.encode(GoldenVector([], {}))
        write_bundle(Path(folder), manifest, {**files, GOLDEN_NAME: empty}, _ROLES)
        bundle = load_bundle(Path(folder))
        answers = record_golden(OnnxEncoder(bundle, 1), golden_hops())
        if manifest.beat_stage is not None:
            answers = msgspec.structs.replace(answers, beats=_golden_beats(bundle))
    return {**files, GOLDEN_NAME: msgspec.json.encode(answers)}


def export(options: argparse.Namespace, folder: Path) -> Manifest:
    """Write the bundle; figures are added by `evaluate`."""
    model, facts = finished_model(options.run, options.size)
    if options.precision == "int8":
        sampler = Sampler(read_all_caches(options.cache), _CALIBRATION_SEED)
        step = int8_model(model, sampler)
    else:
        step = float_model(model)
    files, parameters = dict(step.files), sum(p.numel() for p in model.parameters())
    stage: BeatStage | None = None
    if options.beats is not None:
        from models.training.beat_export import export_stage

        files[_BEATS_NAME], stage, more = export_stage(options.beats)
        parameters += more
    manifest = describe(
        folder.name,
        options.version,
        model.shape,
        step.states,
        ("onnx", "tflite") if "model.tflite" in files else ("onnx",),
        parameters,
        describe_training(options.command, facts),
        stage,
    )
    return write_bundle(folder, manifest, _with_golden(manifest, files), _ROLES)


def main(argv: list[str] | None = None) -> None:
    """Parse the command line and export."""
    parser = argparse.ArgumentParser(prog="python -m models.training.export", description=__doc__)
    parser.add_argument("--size", choices=tuple(SIZES), default="s")
    parser.add_argument("--run", type=Path, default=None, help="default: .runs/SIZE")
    parser.add_argument("--beats", type=Path, help="folder of the run of the beat stage")
    parser.add_argument("--precision", choices=("int8", "float32"), default="int8")
    parser.add_argument("--cache", type=Path, default=Path(".data"), help="folder of the caches")
    parser.add_argument("--bundle", type=Path, help="default: models/zoo/tcn-SIZE")
    parser.add_argument("--version", default="0.2.0")
    parser.add_argument("--command", default="make train", help="how the run was trained")
    options = parser.parse_args(argv)
    options.run = options.run or Path(".runs") / options.size
    folder = options.bundle or Path("models/zoo") / f"tcn-{options.size}"
    manifest = export(options, folder)
    print(f"{manifest.name} {manifest.version}: {sum(f.size for f in manifest.files)} bytes")


if __name__ == "__main__":
    main()
