"""External delegates of LiteRT, as an Edge TPU has: loaded by name, refused in words."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from models import devices
from models.bundle import load_bundle
from models.devices import devices as present
from models.errors import BundleError, ModelError, RuntimeMissingError
from models.registry import open_encoder
from tests.models.rebundle import NAME, hops

pytest.importorskip("ai_edge_litert")

BUNDLE = load_bundle(NAME)
SOURCE = r"""
#include <stddef.h>
#include <stdint.h>

/* TfLiteDelegate of tensorflow/lite/core/c/common.h */
typedef struct Delegate {
    void *data;
    int (*prepare)(void *context, struct Delegate *self);
    void *copy_from, *copy_to, *free_handle;
    int64_t flags;
    void *builder;
} Delegate;

static int prepare(void *context, Delegate *self) { return PREPARED; }
static Delegate delegate = {.prepare = prepare, .flags = 1};

Delegate *tflite_plugin_create_delegate(char **names, char **values, size_t count,
                                        void (*report)(const char *)) {
    if (CREATED) return &delegate;
    report("no device is connected");
    return NULL;
}
void tflite_plugin_destroy_delegate(Delegate *self) {}
"""


def library(folder: Path, **facts: int) -> str:
    """A delegate that takes no operator. CREATED: whether its device is there. PREPARED: status."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source, target = folder / "delegate.c", folder / "libdelegate.so"
    source.write_text(SOURCE)
    defined = [f"-D{name}={value}" for name, value in facts.items()]
    command = [compiler, "-shared", "-fPIC", "-w", *defined, "-o", target, source]
    subprocess.run(command, check=True, timeout=60)
    return f"delegate:{target}"


@pytest.mark.parametrize("device", ["delegate:libnone.so.7", "delegate:/no/such/lib.so"])
def test_a_library_that_is_not_there(device: str) -> None:
    with pytest.raises(RuntimeMissingError, match=r"delegate .* cannot be loaded: .*`litert`"):
        open_encoder(BUNDLE, 1, device)


def test_a_library_that_is_no_delegate() -> None:
    with pytest.raises(RuntimeMissingError, match=r"libm\.so\.6 cannot be loaded"):
        open_encoder(BUNDLE, 1, "delegate:libm.so.6")


def test_a_delegate_whose_device_is_not_connected(tmp_path: Path) -> None:
    with pytest.raises(RuntimeMissingError, match="no device is connected"):
        open_encoder(BUNDLE, 1, library(tmp_path, CREATED=0, PREPARED=0))


def test_a_delegate_that_takes_nothing_is_not_taken_for_an_accelerator(tmp_path: Path) -> None:
    """As an Edge TPU's does with every model that its compiler has not made."""
    with pytest.raises(BundleError, match="takes no operator of the model"):
        open_encoder(BUNDLE, 1, library(tmp_path, CREATED=1, PREPARED=0))


def test_a_delegate_that_refuses_the_model(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="LiteRT refuses the model"):
        open_encoder(BUNDLE, 1, library(tmp_path, CREATED=1, PREPARED=1))
    assert open_encoder(BUNDLE, 1, "litert").step(hops(1)[0])


def test_an_edge_tpu_is_told_where_its_library_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "find_library", lambda _: None)
    assert "edgetpu" not in present(BUNDLE)
    monkeypatch.setattr(devices, "find_library", lambda name: f"lib{name}.so.1")
    assert "edgetpu" in present(BUNDLE)


def test_threads_and_the_number_of_threads_change_no_bit() -> None:
    heard = hops(4)
    one, more = open_encoder(BUNDLE, 1, "litert"), open_encoder(BUNDLE, 1, "litert:2")
    for hop in heard:
        expected, got = one.step(hop), more.step(hop)
        assert all((expected[name] == got[name]).all() for name in expected)


def test_a_bundle_without_a_model_for_it(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from tests.models.toy_network import toy_bundle

    with pytest.raises(ModelError, match="no model for LiteRT"):
        open_encoder(toy_bundle(tmp_path / "toy"), 1, "edgetpu")
