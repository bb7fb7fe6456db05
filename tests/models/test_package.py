"""Writing bundles: what is written loads, whoever wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.bundle import load_bundle
from models.errors import BundleError
from models.package import CARD_NAME, write_bundle
from tests.models.rebundle import NAME, SHIPPED


def test_a_bundle_written_again_loads_with_the_same_files(tmp_path: Path) -> None:
    shipped = load_bundle(NAME)
    files = {e.name: shipped.files[e.name] for e in shipped.manifest.files if e.role != "card"}
    roles = {entry.name: entry.role for entry in shipped.manifest.files}
    manifest = write_bundle(tmp_path, shipped.manifest, files, roles)
    loaded = load_bundle(tmp_path)
    assert loaded.manifest == manifest
    assert {name: loaded.files[name] for name in files} == files
    assert {e.name: e.role for e in manifest.files} == {
        e.name: e.role for e in shipped.manifest.files
    }


def test_the_card_tells_limits_and_figures(tmp_path: Path) -> None:
    shipped = load_bundle(NAME)
    files = {e.name: shipped.files[e.name] for e in shipped.manifest.files if e.role != "card"}
    write_bundle(tmp_path, shipped.manifest, files)
    card = (tmp_path / CARD_NAME).read_text()
    assert all(limit in card for limit in shipped.manifest.limits)
    assert all(f"{figure.value:g}" in card for figure in shipped.manifest.figures)


def test_a_role_that_the_suffix_does_not_tell_is_given(tmp_path: Path) -> None:
    shipped = load_bundle(NAME)
    model = (SHIPPED / "model.onnx").read_bytes()
    files = {"model.onnx": model, "stage.onnx": model, "golden.json": b"{}"}
    manifest = write_bundle(tmp_path, shipped.manifest, files, {"stage.onnx": "beat-stage"})
    assert manifest.file("beat-stage").name == "stage.onnx"
    assert manifest.file("model").name == "model.onnx"


def test_a_file_without_a_role_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"weights\.bin"):
        write_bundle(tmp_path / "new", load_bundle(NAME).manifest, {"weights.bin": b"x"})
    assert not (tmp_path / "new").exists()
