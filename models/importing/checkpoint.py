"""Read a PyTorch checkpoint without PyTorch, and without running the pickle in it.

The format is that of `torch.save` since 1.6: a zip with `NAME/data.pkl`, `NAME/byteorder` and the
elements of each storage in `NAME/data/KEY`. A zip that holds one such file is read too. All is
read into memory; nothing is unpacked to the disk, so names in the archive cannot lead anywhere.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from models.errors import ModelError
from models.importing.tensor_pickle import TensorRecord, tensor_records

__all__ = ["Checkpoint", "open_checkpoint", "take_tensors"]

_FILE_LIMIT = 1024 * 1024 * 1024
_PICKLE_LIMIT = 16 * 1024 * 1024
_PICKLE_NAME = re.compile(r"([^/]+)/data\.pkl")
_MOST_DIMENSIONS = 8
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (  # all that zipfile raises on damaged bytes
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    IndexError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class Checkpoint:
    """The tensors of one checkpoint; each is read when it is asked for.

    sha256: of the `.pth` file itself, without the zip around it.
    """

    def __init__(self, data: bytes, where: str) -> None:
        self.sha256 = hashlib.sha256(data).hexdigest()
        self._archive = _archive(data, where)
        self._where = where
        self._root = _root(self._archive, where)
        self._check_byte_order()
        pickle = _member(self._archive, f"{self._root}/data.pkl", _PICKLE_LIMIT, where)
        self._records = tensor_records(pickle, where)

    @property
    def where(self) -> str:
        """The file, for errors."""
        return self._where

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name to shape, in the order of the file."""
        return MappingProxyType({name: record.shape for name, record in self._records.items()})

    def tensor(self, name: str) -> NDArray[Any]:
        """A copy of one tensor, in the type that it is stored in.

        ModelError: elements that are missing or cut, or a tensor that reaches beyond them.
        """
        record = self._records[name]
        dtype = np.dtype(record.dtype)
        size = record.elements * dtype.itemsize
        raw = _member(self._archive, f"{self._root}/data/{record.key}", size, self._where)
        if len(raw) != size or not _fits(record):
            raise ModelError(
                f"{self._where}: tensor {name!r} does not lie within its storage"
                f" ({len(raw)} bytes, {size} announced); download the checkpoint again"
            )
        elements = np.frombuffer(raw, dtype)[record.offset :]
        strides = [step * dtype.itemsize for step in record.strides]
        return as_strided(elements, record.shape, strides, writeable=False).copy()

    def _check_byte_order(self) -> None:
        name = f"{self._root}/byteorder"
        if name in self._archive.namelist():
            order = _member(self._archive, name, 16, self._where)
            if order != b"little":
                raise ModelError(
                    f"{self._where}: byte order {order!r}, expected little;"
                    " save the checkpoint again on a little-endian machine"
                )


def open_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a `.pth` file, or in a zip that holds exactly one.

    ModelError: not found, too large, not a checkpoint, or one whose pickle holds more than a
    dictionary of tensors.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_LIMIT + 1)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; give the checkpoint's file") from None
    if len(data) > _FILE_LIMIT:
        raise ModelError(f"{path}: larger than {_FILE_LIMIT} bytes; give the checkpoint's file")
    archive = _archive(data, str(path))
    files = [name for name in archive.namelist() if not name.endswith("/")]
    if len(files) == 1 and files[0].endswith((".pth", ".pt", ".ckpt", ".bin")):
        data = _member(archive, files[0], _FILE_LIMIT, str(path))
    return Checkpoint(data, str(path))


def take_tensors(
    checkpoint: Checkpoint, expected: Mapping[str, tuple[int, ...]], ignored: str
) -> dict[str, NDArray[np.float32]]:
    """The tensors of `expected` (name to shape), as finite float32.

    ignored: a regular expression of names that may be there and are not read.
    ModelError: a tensor that is missing, unknown, of another shape, or not finite.
    """
    shapes = checkpoint.shapes
    _refuse(checkpoint, "has no", sorted(set(expected) - set(shapes)))
    surplus = [n for n in shapes if n not in expected and not re.fullmatch(ignored, n)]
    _refuse(checkpoint, "has the unknown", surplus)
    for name, shape in expected.items():
        if shapes[name] != shape:
            raise ModelError(
                f"{checkpoint.where}: tensor {name!r} has shape {list(shapes[name])}, expected"
                f" {list(shape)}: another version of the encoder; use the published checkpoint"
            )
    return {name: _finite(checkpoint, name) for name in expected}


def _refuse(checkpoint: Checkpoint, what: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise ModelError(
            f"{checkpoint.where} {what} tensor {names[0]!r}{more}:"
            " not a checkpoint of this encoder, or another version of it"
        )


def _finite(checkpoint: Checkpoint, name: str) -> NDArray[np.float32]:
    tensor = np.asarray(checkpoint.tensor(name), np.float32)
    if not np.isfinite(tensor).all():
        raise ModelError(
            f"{checkpoint.where}: tensor {name!r} holds numbers that are not finite;"
            " download the checkpoint again"
        )
    return tensor


def _fits(record: TensorRecord) -> bool:
    """Whether every element of the tensor lies in its storage, and it is no larger than that."""
    shape, strides = record.shape, record.strides
    if len(shape) != len(strides) or len(shape) > _MOST_DIMENSIONS:
        return False
    if prod(shape) == 0:
        return False
    last = record.offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    return last < record.elements and prod(shape) <= record.elements


def _archive(data: bytes, where: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except _BROKEN:
        raise ModelError(
            f"{where} is not a zip archive: PyTorch checkpoints are, since PyTorch 1.6; download"
            " it again, or save it again with torch.save"
        ) from None


def _root(archive: zipfile.ZipFile, where: str) -> str:
    roots = [m[1] for m in map(_PICKLE_NAME.fullmatch, archive.namelist()) if m]
    if len(roots) != 1:
        raise ModelError(
            f"{where} holds {len(roots)} files NAME/data.pkl, expected one: not a PyTorch"
            " checkpoint; give the .pth file, or the zip that holds it alone"
        )
    return str(roots[0])


def _member(archive: zipfile.ZipFile, name: str, limit: int, where: str) -> bytes:
    """One file of the archive, whose checksum is right; never more than `limit` bytes."""
    limit = min(limit, _FILE_LIMIT)
    try:
        if archive.getinfo(name).compress_type not in _COMPRESSIONS:
            raise NotImplementedError("a compression other than deflate")
        with archive.open(name) as file:
            data = file.read(limit + 1)
    except KeyError:
        raise ModelError(f"{where} has no {name!r} in it: cut; download it again") from None
    except _BROKEN as error:
        raise ModelError(f"{where}: {name!r} is damaged ({error}); download it again") from None
    if len(data) > limit:
        raise ModelError(f"{where}: {name!r} is larger than {limit} bytes; download it again")
    return data
