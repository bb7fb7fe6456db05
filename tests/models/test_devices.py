"""What a bundle can run on here."""

import msgspec
import pytest

from models.bundle import Bundle, load_bundle
from models.devices import devices
from models.registry import open_encoder


@pytest.fixture(scope="module")
def bundle():
    return load_bundle("tcn-s")


def test_every_device_told_opens_the_shipped_bundle_or_says_why(bundle):
    told = devices(bundle)
    assert "CPUExecutionProvider" in told
    assert len(set(told)) == len(told)
    assert open_encoder(bundle, 1, "CPUExecutionProvider").providers == ("CPUExecutionProvider",)


def test_litert_is_told_where_it_is_installed_and_in_the_bundle(bundle):
    pytest.importorskip("ai_edge_litert")
    assert "litert" in devices(bundle)
    onnx_only = tuple(entry for entry in bundle.manifest.files if entry.role != "litert")
    manifest = msgspec.structs.replace(bundle.manifest, files=onnx_only)
    assert "litert" not in devices(Bundle(bundle.path, manifest, bundle.files, bundle.sha256))


def test_providers_that_run_nothing_here_are_left_out(bundle, monkeypatch):
    onnxruntime = pytest.importorskip("onnxruntime")
    there = ["AzureExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    assert "AzureExecutionProvider" not in devices(bundle)


def test_another_packages_runtime_is_asked_for_as_it_likes(bundle):
    runtime = msgspec.structs.replace(bundle.manifest.runtime, name="theirs")
    manifest = msgspec.structs.replace(bundle.manifest, runtime=runtime)
    assert devices(Bundle(bundle.path, manifest, bundle.files, bundle.sha256)) == ("auto",)
