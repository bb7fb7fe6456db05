"""Write an imported encoder as a bundle, and trust it only once it has been read back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import numpy as np

from models.bundle import load_bundle
from models.errors import ModelError
from models.golden import GoldenVector, record_golden
from models.importing.report import ImportReport
from models.manifest import Manifest
from models.onnx_encoder import open_encoder
from models.package import write_bundle
from models.registry import verify_bundle

__all__ = ["write_verified"]

_MODEL_NAME = "model.onnx"
_GOLDEN_S = 8.0
"""Length of the self-test: more than the windows of the encoders that are imported."""


def write_verified(
    folder: Path, manifest: Manifest, model: bytes, tensors: int, dropped: int
) -> ImportReport:
    """Record the self-test, write the bundle, load it again and let it answer.

    manifest: without files. model: the ONNX file. tensors, dropped: for the report.
    ModelError: the folder cannot be written. BundleError: ONNX Runtime refuses the model.
    """
    golden = msgspec.json.encode(_recorded(manifest, model))
    try:
        write_bundle(folder, manifest, {_MODEL_NAME: model, manifest.golden.file: golden})
    except OSError as error:
        raise ModelError(
            f"the bundle cannot be written to {folder}: {error.strerror}; give another folder"
        ) from None
    bundle, deviation = verify_bundle(folder)
    return ImportReport(folder, bundle.manifest, bundle.sha256, tensors, dropped, deviation)


def _recorded(manifest: Manifest, model: bytes) -> GoldenVector:
    """The answers of the model as it was built, by way of a bundle without answers."""
    with tempfile.TemporaryDirectory() as folder:
        empty = msgspec.json.encode(GoldenVector([], {}))
        write_bundle(Path(folder), manifest, {_MODEL_NAME: model, manifest.golden.file: empty})
        return record_golden(open_encoder(load_bundle(folder), 1, "cpu"), _hops(manifest))


def _hops(manifest: Manifest) -> list[list[list[float]]]:
    """A made-up heart in one lead, whole microvolts: 75 beats a minute with T waves, wander."""
    facts = manifest.input
    count = round(_GOLDEN_S * facts.rate_hz / facts.hop_samples)
    seconds = np.arange(count * facts.hop_samples) / facts.rate_hz
    beat_s = seconds % 0.8
    signal = 40 * np.sin(2 * np.pi * 0.3 * seconds)
    signal += 1000 * np.exp(-(((beat_s - 0.3) / 0.012) ** 2) / 2)
    signal += 200 * np.exp(-(((beat_s - 0.55) / 0.05) ** 2) / 2)
    hops = np.round(signal).reshape(count, 1, facts.hop_samples)
    return [[[float(sample) for sample in lead] for lead in hop] for hop in hops]
