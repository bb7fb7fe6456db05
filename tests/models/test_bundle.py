"""Bundles: what was shipped loads; whatever else lies in the folder is refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bundle import list_bundles, load_bundle
from models.errors import BundleError
from tests.models.rebundle import FILES, NAME, SHIPPED, copy_to, edit_manifest, replace_file, sign


def test_the_zoo_is_listed_and_loads_by_name_and_by_folder() -> None:
    assert NAME in list_bundles()
    by_name, by_folder = load_bundle(NAME), load_bundle(SHIPPED)
    assert by_name.sha256 == by_folder.sha256
    assert by_name.manifest.name == NAME
    assert by_name.model == (SHIPPED / "model.onnx").read_bytes()


def test_the_shipped_bundle_is_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 1_000_000


@pytest.mark.parametrize("name", ["", "nothing-here", "no/such", "a\x00b", "..", "/dev/null"])
def test_a_name_that_leads_nowhere(name: str) -> None:
    with pytest.raises(BundleError, match=r"give|installed|fetch"):
        load_bundle(name)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), name=st.sampled_from(FILES))
def test_one_changed_byte_anywhere_is_refused(data: st.DataObject, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = copy_to(Path(folder)) / name
        raw = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(raw)
        with pytest.raises(BundleError, match=NAME):
            load_bundle(path.parent)


@settings(deadline=None, max_examples=40)
@given(data=st.data(), name=st.sampled_from(FILES))
def test_truncated_files_are_refused(data: st.DataObject, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = copy_to(Path(folder)) / name
        os.truncate(path, data.draw(st.integers(0, path.stat().st_size - 1)))
        with pytest.raises(BundleError, match="fetch the bundle again"):
            load_bundle(path.parent)


@pytest.mark.parametrize("name", FILES)
def test_longer_files_are_refused(tmp_path: Path, name: str) -> None:
    path = copy_to(tmp_path) / name
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(BundleError):
        load_bundle(path.parent)


@pytest.mark.parametrize("name", FILES)
def test_missing_files_are_named(tmp_path: Path, name: str) -> None:
    path = copy_to(tmp_path) / name
    path.unlink()
    with pytest.raises(BundleError, match=rf"{name}.*no such file"):
        load_bundle(path.parent)


@pytest.mark.parametrize("name", FILES)
def test_links_are_refused_even_to_the_right_bytes(tmp_path: Path, name: str) -> None:
    path = copy_to(tmp_path) / name
    shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="symbolic link"):
        load_bundle(path.parent)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_pipes_and_folders_are_refused_without_waiting(
    tmp_path: Path, name: str, make: Any
) -> None:
    path = copy_to(tmp_path) / name
    path.unlink()
    make(path)
    with pytest.raises(BundleError, match=r"regular file|directory"):
        load_bundle(path.parent)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/b", ".hidden", "", "x" * 65])
def test_names_that_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    folder = copy_to(tmp_path)

    def rename(manifest: dict[str, Any]) -> None:
        manifest["files"][0]["name"] = name

    edit_manifest(folder, rename)
    with pytest.raises(BundleError, match=r"files\[0\]\.name"):
        load_bundle(folder)


def test_oversize_is_refused_before_it_is_read(tmp_path: Path) -> None:
    folder = copy_to(tmp_path)
    os.truncate(folder / "manifest.json", 1 << 40)  # sparse
    with pytest.raises(BundleError, match="larger than"):
        load_bundle(folder)


def test_a_total_above_the_limit_is_refused(tmp_path: Path) -> None:
    folder = copy_to(tmp_path)

    def grow(manifest: dict[str, Any]) -> None:
        for entry in manifest["files"]:
            entry["size"] = 60 * 1024 * 1024

    edit_manifest(folder, grow)
    with pytest.raises(BundleError, match="larger than"):
        load_bundle(folder)


def test_a_pinned_digest_decides(tmp_path: Path) -> None:
    folder = copy_to(tmp_path)
    digest = load_bundle(folder).sha256
    assert load_bundle(folder, sha256=digest.upper()).sha256 == digest

    def rename(manifest: dict[str, Any]) -> None:
        manifest["description"] = "another"

    edit_manifest(folder, rename)
    with pytest.raises(BundleError, match="pinned"):
        load_bundle(folder, sha256=digest)


def test_what_was_loaded_does_not_change_with_the_folder(tmp_path: Path) -> None:
    folder = copy_to(tmp_path)
    bundle = load_bundle(folder)
    model = bundle.model
    (folder / "model.onnx").write_bytes(b"evil")
    assert bundle.model == model
    with pytest.raises(TypeError):
        bundle.files["model.onnx"] = b"evil"  # type: ignore[index]


def test_a_manifest_that_is_signed_but_wrong_is_refused(tmp_path: Path) -> None:
    folder = copy_to(tmp_path)
    sign(folder, b"{}")
    with pytest.raises(BundleError, match="missing required field"):
        load_bundle(folder)


def test_a_signed_model_that_is_not_onnx_is_refused(tmp_path: Path) -> None:
    folder = copy_to(tmp_path)
    replace_file(folder, "model.onnx", b"\xff" * 50)
    with pytest.raises(BundleError, match="not an ONNX file"):
        load_bundle(folder)


SIGNED_WRONGLY = {
    "a NUL": b'{"name": "\\u0000"}',
    "deep nesting": b"[" * 200_000,
    "a huge number": b'{"schema": 1e999999}',
    "not text": b"\xff\xfe",
    "nothing": b"",
}


@pytest.mark.parametrize("raw", SIGNED_WRONGLY.values(), ids=SIGNED_WRONGLY)
def test_a_hostile_manifest_is_refused_even_signed(tmp_path: Path, raw: bytes) -> None:
    folder = copy_to(tmp_path)
    sign(folder, raw)
    with pytest.raises(BundleError, match=r"manifest\.json"):
        load_bundle(folder)


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_any_signed_model_loads_or_is_refused(data: st.DataObject) -> None:
    raw = bytearray((SHIPPED / "model.onnx").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as folder:
        target = copy_to(Path(folder))
        replace_file(target, "model.onnx", bytes(raw))
        try:
            loaded = load_bundle(target).model
        except BundleError:
            return
        assert loaded == bytes(raw)


def add_file(folder: Path, name: str, role: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    entry = {"name": name, "role": role, "size": len(data), "sha256": digest}
    edit_manifest(folder, lambda manifest: manifest["files"].append(entry))


@pytest.mark.parametrize(
    ("name", "role", "said"),
    [
        ("stage.onnx", "beat-stage", "not an ONNX file"),
        ("other.tflite", "litert", "not a LiteRT model"),
    ],
)
def test_models_beside_the_first_are_scanned(
    tmp_path: Path, name: str, role: str, said: str
) -> None:
    folder = copy_to(tmp_path)
    add_file(folder, name, role, b"\xff" * 50)
    with pytest.raises(BundleError, match=rf"{name}.*{said}"):
        load_bundle(folder)
