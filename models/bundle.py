"""Find a bundle, read it once, and trust nothing that its manifest does not vouch for.

A bundle is a folder with `manifest.json`, `manifest.sha256` (as `sha256sum` writes it) and
the files that the manifest lists. Everything is read into memory and hashed there; what runs
later is made from those bytes, so a file that changes afterwards changes nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from models.errors import BundleError
from models.litert_scan import scan_litert
from models.manifest import MANIFEST_NAME, BundleFile, Manifest, decode_manifest
from models.onnx_scan import scan_onnx

__all__ = ["CHECKSUM_NAME", "Bundle", "list_bundles", "load_bundle"]

CHECKSUM_NAME = "manifest.sha256"
_MANIFEST_LIMIT = 1024 * 1024
_TOTAL_LIMIT = 64 * 1024 * 1024
_ZOO_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle in memory. sha256: of the manifest, and so of everything in it."""

    path: Path
    manifest: Manifest
    files: Mapping[str, bytes]
    sha256: str

    @property
    def model(self) -> bytes:
        """The model file."""
        return self.files[self.manifest.file("model").name]


def _zoo() -> Path:
    return Path(str(resources.files("models"))) / "zoo"


def list_bundles() -> tuple[str, ...]:
    """Names of the bundles that are installed with this package, sorted."""
    return tuple(sorted(p.parent.name for p in _zoo().glob(f"*/{MANIFEST_NAME}")))


def load_bundle(name_or_dir: str | Path, sha256: str | None = None) -> Bundle:
    """Read and verify a bundle of the zoo by its name, or the bundle in a folder.

    sha256: the manifest's expected digest, where the operator pins one.
    BundleError: not found, missing, truncated, altered, oversize or linked files, a manifest
    that is malformed or does not match its files, a model that `models.onnx_scan` or
    `models.litert_scan` refuses.
    """
    path = _locate(name_or_dir)
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}; give the folder of a bundle") from None
    try:
        return _load(path, folder, sha256)
    finally:
        os.close(folder)


def _locate(name_or_dir: str | Path) -> Path:
    """The folder of a bundle: of the zoo where it has that name, else the path itself."""
    text = str(name_or_dir)
    if isinstance(name_or_dir, str) and _ZOO_NAME.fullmatch(text):
        if (_zoo() / text / MANIFEST_NAME).is_file():
            return _zoo() / text
        if not Path(text).is_dir():
            known = ", ".join(list_bundles()) or "none"
            raise BundleError(f"no bundle {text!r}; installed: {known}; or give a folder")
    if not text or "\x00" in text:
        raise BundleError("the name of the bundle is empty or malformed; give a name or a folder")
    return Path(text)


def _load(path: Path, folder: int, pinned: str | None) -> Bundle:
    raw = _read(path, folder, MANIFEST_NAME, _MANIFEST_LIMIT)
    digest = hashlib.sha256(raw).hexdigest()
    _check_digest(path, folder, digest, pinned)
    manifest = decode_manifest(raw, str(path / MANIFEST_NAME))
    if sum(entry.size for entry in manifest.files) > _TOTAL_LIMIT:
        raise BundleError(f"{path}: the files are larger than {_TOTAL_LIMIT} bytes together")
    files = {entry.name: _read_listed(path, folder, entry) for entry in manifest.files}
    _check_models(path, manifest, files)
    return Bundle(path, manifest, MappingProxyType(files), digest)


def _check_models(path: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """What the bytes show without a runtime: an honest author may have exported wrongly, too."""
    for entry in manifest.files:
        data, where = files[entry.name], str(path / entry.name)
        onnx = entry.role == "model" and "onnx" in manifest.runtime.formats
        if onnx or entry.role == "beat-stage":
            scan_onnx(data, where)
        elif entry.role == "litert":
            scan_litert(data, where)


def _check_digest(path: Path, folder: int, digest: str, pinned: str | None) -> None:
    line = _read(path, folder, CHECKSUM_NAME, 4096)
    if line != f"{digest}  {MANIFEST_NAME}\n".encode():
        raise BundleError(
            f"{path / MANIFEST_NAME} is not the file that {CHECKSUM_NAME} vouches for:"
            " altered or damaged; fetch the bundle again"
        )
    if pinned is not None and pinned.lower() != digest:
        raise BundleError(
            f"{path / MANIFEST_NAME} has sha256 {digest}, but {pinned} is required;"
            " install that version of the bundle, or change the pinned digest"
        )


def _read_listed(path: Path, folder: int, entry: BundleFile) -> bytes:
    data = _read(path, folder, entry.name, entry.size)
    if len(data) != entry.size:
        raise BundleError(
            f"{path / entry.name} has {len(data)} bytes, the manifest says {entry.size}:"
            " truncated; fetch the bundle again"
        )
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise BundleError(
            f"{path / entry.name} does not match its sha256 in {MANIFEST_NAME}:"
            " altered or damaged; fetch the bundle again"
        )
    return data


def _read(path: Path, folder: int, name: str, limit: int) -> bytes:
    """A regular file of the open folder, never through a link, never above `limit` bytes."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        why = "is a symbolic link" if _is_link(name, folder) else f"{error.strerror}".lower()
        raise BundleError(f"{path / name}: {why}; fetch the bundle again") from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise BundleError(f"{path / name} is not a regular file; fetch the bundle again")
        with open(handle, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    finally:
        os.close(handle)
    if len(data) > limit:
        raise BundleError(f"{path / name} is larger than {limit} bytes; fetch the bundle again")
    return data


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False
