"""Runtimes: imported only when needed, replaceable, and missed with a clear error."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakValueDictionary

import pytest

from models import registry, shared
from models.bundle import Bundle, load_bundle
from models.encoder import Encoder
from models.errors import BundleError, ModelError, RuntimeMissingError
from models.onnx_encoder import OnnxEncoder
from tests.models.rebundle import NAME, copy_to, edit_manifest, hops, replace_file


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
    heavy = ("onnxruntime", "ai_edge_litert", "torch", "onnx", "scipy", "wfdb")
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


@pytest.fixture(name="no_session")
def _no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """None that another test has opened and not let go of yet."""
    monkeypatch.setattr(shared, "_in_use", WeakValueDictionary())


@pytest.mark.usefixtures("no_session")
def test_without_onnxruntime_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RuntimeMissingError, match="pip install onnxruntime"):
        registry.open_encoder(load_bundle(NAME), 1, "cpu")


@pytest.mark.usefixtures("no_session")
def test_a_broken_onnxruntime_is_told_apart_from_a_broken_bundle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = ModuleType("onnxruntime")
    monkeypatch.setitem(sys.modules, "onnxruntime", broken)
    with pytest.raises(RuntimeMissingError, match="cannot be used"):
        registry.open_encoder(load_bundle(NAME), 1, "cpu")


def test_an_unknown_runtime_is_named(tmp_path: Path) -> None:
    bundle = foreign(copy_to(tmp_path))
    with pytest.raises(RuntimeMissingError, match=r"'abacus'; known: litert, onnxruntime"):
        registry.open_encoder(bundle, 1)


def test_a_third_party_runtime_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, f"{__name__}:open_abacus")
    assert registry.runtimes() == ("abacus", "litert", "onnxruntime")
    encoder = registry.open_encoder(foreign(copy_to(tmp_path)), 2, "beads")
    assert encoder.step(hops(1, 2)[0])["rhythm"].shape == (4,)


def test_a_third_party_runtime_that_does_not_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, "no_such_module:open")
    with pytest.raises(RuntimeMissingError, match="no_such_module"):
        registry.open_encoder(foreign(copy_to(tmp_path)), 1)


def test_a_model_that_the_runtime_refuses(tmp_path: Path) -> None:
    folder = copy_to(tmp_path)
    replace_file(folder, "model.onnx", b"\x08\x08")  # only an IR version
    with pytest.raises(BundleError, match=r"refuses the model|is not an ONNX file"):
        registry.open_encoder(load_bundle(folder), 1, "cpu")


@pytest.mark.parametrize("end", ["name_in", "name_out"])
def test_a_manifest_that_names_other_tensors(tmp_path: Path, end: str) -> None:
    folder = copy_to(tmp_path)

    def rename(manifest: dict[str, Any]) -> None:
        manifest["states"][0][end] = "other"

    edit_manifest(folder, rename)
    with pytest.raises(BundleError, match=r"inputs are not|no output 'other'"):
        registry.open_encoder(load_bundle(folder), 1, "cpu")


def test_a_state_of_another_shape_is_an_error_of_the_bundle(tmp_path: Path) -> None:
    folder = copy_to(tmp_path)

    def stretch(manifest: dict[str, Any]) -> None:
        manifest["states"][0]["shape"][1] += 4

    edit_manifest(folder, stretch)
    with pytest.raises(BundleError, match="state"):
        registry.open_encoder(load_bundle(folder), 1, "cpu")


@pytest.fixture(name="both")
def _both(tmp_path: Path) -> Bundle:
    """A bundle with a model for each runtime."""
    pytest.importorskip("onnx")
    pytest.importorskip("ai_edge_litert")
    from tests.models.toy_network import litert_model, toy_bundle

    return toy_bundle(tmp_path / "toy", litert_model())


@pytest.mark.parametrize(
    ("device", "provider"),
    [
        ("auto", "XNNPACK"),
        ("litert", "XNNPACK"),
        ("onnxruntime", "CPUExecutionProvider"),
        ("cpu", "CPUExecutionProvider"),
        ("CPUExecutionProvider", "CPUExecutionProvider"),
    ],
)
def test_the_device_chooses_the_runtime(both: Bundle, device: str, provider: str) -> None:
    assert registry.open_encoder(both, 2, device).providers == (provider,)


def test_auto_takes_onnxruntime_where_litert_is_not_installed(
    both: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for package in ("ai_edge_litert", "tflite_runtime"):
        monkeypatch.setitem(sys.modules, f"{package}.interpreter", None)
    assert registry.open_encoder(both, 1).providers == ("CPUExecutionProvider",)
    assert not caplog.records  # nobody asked for LiteRT
    with pytest.raises(RuntimeMissingError, match="pip install ai-edge-litert"):
        registry.open_encoder(both, 1, "litert")


def test_auto_takes_litert_where_onnxruntime_is_not_installed(
    both: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert registry.open_encoder(both, 1).providers == ("XNNPACK",)


@pytest.fixture(name="unlike")
def _unlike(tmp_path: Path) -> Callable[[int, list[str]], Bundle]:
    """Makes bundles whose model for LiteRT has other weights or fewer outputs."""
    pytest.importorskip("onnx")
    pytest.importorskip("ai_edge_litert")
    from models.training.litert_graph import LiteRTGraph
    from tests.models.toy_network import RANGES, toy_bundle, write

    def make(seed: int, outputs: list[str]) -> Bundle:
        graph = LiteRTGraph(RANGES, 128)
        write(graph, seed)
        return toy_bundle(tmp_path / "toy", graph.build(outputs))

    return make


def test_auto_falls_back_where_litert_cannot_run_the_model(
    unlike: Callable[[int, list[str]], Bundle], caplog: pytest.LogCaptureFixture
) -> None:
    bundle = unlike(1, ["qrs"])
    assert registry.open_encoder(bundle, 1).providers == ("CPUExecutionProvider",)
    assert "device litert is left alone until the next start, trying cpu" in caplog.text
    with pytest.raises(BundleError, match=r"model\.tflite: the model has no output"):
        registry.open_encoder(bundle, 1, "litert")


def test_auto_falls_back_where_litert_fails_the_self_test(
    unlike: Callable[[int, list[str]], Bundle], caplog: pytest.LogCaptureFixture
) -> None:
    from tests.models.toy_network import HEADS

    bundle = unlike(9, [*HEADS])
    assert registry.open_encoder(bundle, 1).providers == ("CPUExecutionProvider",)
    assert "fails its self-test" in caplog.text
    with pytest.raises(BundleError, match="self-test"):
        registry.verify_bundle(bundle.path)


def test_verification_runs_every_model(both: Bundle) -> None:
    _, deviation = registry.verify_bundle(both.path)
    assert 0 <= deviation < 0.03


def test_litert_is_asked_for_and_the_bundle_has_no_model_for_it(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from tests.models.toy_network import toy_bundle

    with pytest.raises(ModelError, match="no model for LiteRT"):
        registry.open_encoder(toy_bundle(tmp_path / "toy"), 1, "litert")
