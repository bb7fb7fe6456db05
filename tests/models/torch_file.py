"""Files as `torch.save` writes them, made without PyTorch."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STORAGE_OF = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}


def state_dict_pickle(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """An OrderedDict of tensors, tensor i in storage i, with the opcodes that PyTorch uses."""
    entries = b"".join(
        text(name) + tensor_opcodes(str(i), tensor)
        for i, (name, tensor) in enumerate(tensors.items())
    )
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + entries + b"u."


def tensor_opcodes(
    key: str,
    tensor: NDArray[Any],
    *,
    offset: int = 0,
    strides: tuple[int, ...] | None = None,
    elements: int | None = None,
) -> bytes:
    """One call of _rebuild_tensor_v2; strides in elements."""
    steps = strides or tuple(step // tensor.itemsize for step in tensor.strides)
    size = tensor.size if elements is None else elements
    storage = f"ctorch\n{STORAGE_OF[tensor.dtype.name]}\n".encode()
    persistent = b"(" + text("storage") + storage + text(key) + text("cpu") + integer(size) + b"tQ"
    hooks = b"\x89ccollections\nOrderedDict\n)R"
    layout = integer(offset) + integers(tensor.shape) + integers(steps)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + persistent + layout + hooks + b"tR"


def text(value: str) -> bytes:
    """BINUNICODE."""
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def integer(value: int) -> bytes:
    """BININT."""
    return b"J" + struct.pack("<i", value)


def integers(values: tuple[int, ...]) -> bytes:
    """A tuple of BININT."""
    return b"(" + b"".join(map(integer, values)) + b"t"


def checkpoint_bytes(
    tensors: Mapping[str, NDArray[Any]], program: bytes | None = None, order: bytes = b"little"
) -> bytes:
    """A whole checkpoint; `program` in place of its pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("net/data.pkl", state_dict_pickle(tensors) if program is None else program)
        archive.writestr("net/byteorder", order)
        for i, tensor in enumerate(tensors.values()):
            archive.writestr(f"net/data/{i}", np.ascontiguousarray(tensor).tobytes())
        archive.writestr("net/version", b"3\n")
    return file.getvalue()


class Touch:
    """Unpickled by Python, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, (f"touch {self.path}",)


def malicious_pickle(path: Path, protocol: int) -> bytes:
    """A state dict whose one value makes the file `path` where it is unpickled."""
    return pickle.dumps({"net.weight": Touch(path)}, protocol)
