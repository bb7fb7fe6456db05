"""Bundles: what was shipped loads; whatever else lies in the folder is refused."""

from __future__ import annotations

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
def test_one_flipped_bit_anywhere_is_refused(data: st.DataObject, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = copy_to(Path(folder)) / name
        raw = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(raw)
        if name == "manifest.sha256" and path.read_text("latin-1").split() == (
            (SHIPPED / name).read_text().split()
        ):
            return  # one kind of white space became another
        with pytest.raises(BundleError, match=NAME):
            load_bundle(path.parent)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep", [0, 1, 60])
def test_truncated_files_are_refused(tmp_path: Path, name: str, keep: int) -> None:
    path = copy_to(tmp_path) / name
    path.write_bytes(path.read_bytes()[:keep])
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
