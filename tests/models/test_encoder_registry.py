"""Runtimes: imported only when needed, replaceable, and missed with a clear error."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from models import registry
from models.bundle import Bundle, load_bundle
from models.encoder import Encoder
from models.errors import BundleError, RuntimeMissingError
from models.onnx_encoder import OnnxEncoder
from tests.models.rebundle import NAME, copy_to, edit_manifest, hops


def foreign(folder: Path) -> Bundle:
    def rename(manifest: dict[str, Any]) -> None:
        manifest["runtime"]["name"] = "abacus"

    edit_manifest(folder, rename)
    return load_bundle(folder)


def register(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    known = EntryPoints([EntryPoint("abacus", value, registry.ENTRY_POINT_GROUP)])
    monkeypatch.setattr(registry, "entry_points", lambda **wanted: known.select(**wanted))


def open_abacus(bundle: Bundle, leads: int, device: str) -> Encoder:
    """A third party's runtime."""
    assert device == "beads"
    return OnnxEncoder(bundle, leads)


def test_a_light_import_stays_light() -> None:
    heavy = ("onnxruntime", "torch", "onnx", "scipy", "wfdb")
    code = (
        "import sys, models, models.registry, models.bundle, models.encoder\n"
        "models.bundle.load_bundle('tcn-s')\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_package_alone_imports_nothing() -> None:
    code = "import sys, models; print([n for n in sys.modules if n in ('numpy', 'msgspec')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_onnxruntime_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RuntimeMissingError, match="pip install onnxruntime"):
        registry.open_encoder(load_bundle(NAME), 1)


def test_a_broken_onnxruntime_is_told_apart_from_a_broken_bundle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = ModuleType("onnxruntime")
    monkeypatch.setitem(sys.modules, "onnxruntime", broken)
    with pytest.raises(RuntimeMissingError, match="cannot be used"):
        registry.open_encoder(load_bundle(NAME), 1)


def test_an_unknown_runtime_is_named(tmp_path: Path) -> None:
    bundle = foreign(copy_to(tmp_path))
    with pytest.raises(RuntimeMissingError, match=r"'abacus'; known: onnxruntime"):
        registry.open_encoder(bundle, 1)


def test_a_third_party_runtime_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, f"{__name__}:open_abacus")
    assert registry.runtimes() == ("abacus", "onnxruntime")
    encoder = registry.open_encoder(foreign(copy_to(tmp_path)), 2, "beads")
    assert encoder.step(hops(1, 2)[0])["rhythm"].shape == (4,)


def test_a_third_party_runtime_that_does_not_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, "no_such_module:open")
    with pytest.raises(RuntimeMissingError, match="no_such_module"):
        registry.open_encoder(foreign(copy_to(tmp_path)), 1)


def test_a_model_that_the_runtime_refuses(tmp_path: Path) -> None:
    from tests.models.rebundle import replace_file

    folder = copy_to(tmp_path)
    replace_file(folder, "model.onnx", b"\x08\x08")  # only an IR version
    with pytest.raises(BundleError, match="refuses the model"):
        registry.open_encoder(load_bundle(folder), 1)


@pytest.mark.parametrize("end", ["name_in", "name_out"])
def test_a_manifest_that_names_other_tensors(tmp_path: Path, end: str) -> None:
    folder = copy_to(tmp_path)

    def rename(manifest: dict[str, Any]) -> None:
        manifest["states"][0][end] = "other"

    edit_manifest(folder, rename)
    with pytest.raises(BundleError, match=r"inputs are not|no output 'other'"):
        registry.open_encoder(load_bundle(folder), 1)


def test_a_state_of_another_shape_is_an_error_of_the_bundle(tmp_path: Path) -> None:
    folder = copy_to(tmp_path)

    def stretch(manifest: dict[str, Any]) -> None:
        manifest["states"][0]["shape"][1] += 4

    edit_manifest(folder, stretch)
    with pytest.raises(BundleError, match="state"):
        registry.open_encoder(load_bundle(folder), 1)
