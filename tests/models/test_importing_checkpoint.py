"""Checkpoints are read without PyTorch: the same numbers, or a clear error."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import ModelError
from models.importing.checkpoint import open_checkpoint, take_tensors
from tests.models.torch_file import (
    STORAGE_OF,
    checkpoint_bytes,
    malicious_pickle,
    tensor_opcodes,
    text,
)

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _one(opcodes: bytes) -> bytes:
    return b"\x80\x02}" + text("w") + opcodes + b"s."


@pytest.mark.parametrize("kind", STORAGE_OF)
def test_every_type_comes_back_as_it_was(kind: str, tmp_path: Path) -> None:
    tensors = {"w": np.arange(6).reshape(2, 3).astype(kind), "scalar": np.array(1).astype(kind)}
    checkpoint = open_checkpoint(_write(tmp_path / "net.pth", checkpoint_bytes(tensors)))
    for name, tensor in tensors.items():
        read = checkpoint.tensor(name)
        assert read.dtype == tensor.dtype
        assert np.array_equal(read, tensor)
        read[...] = 0  # a copy of its own
    assert dict(checkpoint.shapes) == {"w": (2, 3), "scalar": ()}


def test_a_zip_that_holds_the_file_alone_is_read_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../net.pth", checkpoint_bytes({"w": WEIGHT}))
    assert np.array_equal(open_checkpoint(tmp_path / "net.zip").tensor("w"), WEIGHT)
    assert [path.name for path in tmp_path.iterdir()] == ["net.zip"]


def test_views_are_gathered_from_their_storage(tmp_path: Path) -> None:
    program = _one(tensor_opcodes("0", WEIGHT[:, 1:].T, offset=1, strides=(1, 3), elements=6))
    path = _write(tmp_path / "net.pth", checkpoint_bytes({"w": WEIGHT}, program))
    assert np.array_equal(open_checkpoint(path).tensor("w"), WEIGHT[:, 1:].T)


@pytest.mark.parametrize(
    "opcodes",
    [
        tensor_opcodes("0", WEIGHT, offset=1),
        tensor_opcodes("0", WEIGHT, strides=(4, 1)),
        tensor_opcodes("0", WEIGHT, strides=(3,)),
        tensor_opcodes("0", WEIGHT, elements=7),
        tensor_opcodes("0", WEIGHT, elements=5),
        tensor_opcodes("0", np.zeros((2**15, 2**15), np.uint8), elements=6),
        tensor_opcodes("1", WEIGHT),
        tensor_opcodes("../byteorder", WEIGHT),
    ],
)
def test_a_tensor_beyond_its_storage_is_refused(opcodes: bytes, tmp_path: Path) -> None:
    path = _write(tmp_path / "net.pth", checkpoint_bytes({"w": WEIGHT}, _one(opcodes)))
    checkpoint = open_checkpoint(path)
    with pytest.raises(ModelError, match=r"net\.pth"):
        checkpoint.tensor("w")


def test_code_in_the_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    target = tmp_path / "touched"
    data = checkpoint_bytes({}, malicious_pickle(target, 2))
    with pytest.raises(ModelError, match=r"net\.pth: .*system"):
        open_checkpoint(_write(tmp_path / "net.pth", data))
    assert not target.exists()


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        open_checkpoint(tmp_path / "absent.pth")
    with pytest.raises(ModelError, match=r"(?i)is a directory"):
        open_checkpoint(tmp_path)
    with pytest.raises(ModelError, match="not a zip archive"):
        open_checkpoint(_write(tmp_path / "a.pth", b"weights"))
    with pytest.raises(ModelError, match=r"0 files NAME/data\.pkl"):
        open_checkpoint(_write(tmp_path / "b.pth", _zip({"readme.txt": b"hello"})))
    with pytest.raises(ModelError, match=r"2 files NAME/data\.pkl"):
        open_checkpoint(_write(tmp_path / "c.pth", _zip({"a/data.pkl": b"", "b/data.pkl": b""})))
    big = checkpoint_bytes({"w": WEIGHT}, order=b"big")
    with pytest.raises(ModelError, match="byte order b'big'"):
        open_checkpoint(_write(tmp_path / "d.pth", big))


def _zip(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def test_tensors_are_taken_by_name_and_shape(tmp_path: Path) -> None:
    tensors = {"w": WEIGHT.astype(np.float64), "mask": WEIGHT, "n": np.array(3)}
    checkpoint = open_checkpoint(_write(tmp_path / "net.pth", checkpoint_bytes(tensors)))
    taken = take_tensors(checkpoint, {"w": (2, 3)}, "mask|n")
    assert taken["w"].dtype == np.float32
    assert np.array_equal(taken["w"], WEIGHT)
    with pytest.raises(ModelError, match="has no tensor 'a' and 1 more"):
        take_tensors(checkpoint, {"w": (2, 3), "a": (), "b": ()}, "mask|n")
    with pytest.raises(ModelError, match="has the unknown tensor 'mask'"):
        take_tensors(checkpoint, {"w": (2, 3)}, "n")
    with pytest.raises(ModelError, match=r"'w' has shape \[2, 3\], expected \[3, 2\]"):
        take_tensors(checkpoint, {"w": (3, 2)}, "mask|n")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    data = checkpoint_bytes({"w": np.array([1.0, np.nan], np.float32)})
    with pytest.raises(ModelError, match="not finite"):
        take_tensors(open_checkpoint(_write(tmp_path / "net.pth", data)), {"w": (2,)}, "")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.data())
def test_a_damaged_file_gives_its_numbers_or_a_refusal(tmp_path: Path, data: Any) -> None:
    whole = checkpoint_bytes({"w": WEIGHT})
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    try:
        checkpoint = open_checkpoint(_write(tmp_path / "net.pth", changed))
        read = [checkpoint.tensor(name) for name in checkpoint.shapes]
    except ModelError:
        return
    assert all(tensor.size <= WEIGHT.size for tensor in read)


def test_what_pytorch_saves_is_read_the_same(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Conv1d(2, 4, 3), torch.nn.BatchNorm1d(4))
    whole = torch.arange(24.0).reshape(4, 6)
    content = {"state_dict": net.state_dict(), "view": whole[1:, ::2].T, "epoch": 3}
    for protocol in (2, 4):
        torch.save(content, tmp_path / "net.pth", pickle_protocol=protocol)
        checkpoint = open_checkpoint(tmp_path / "net.pth")
        expected = {f"state_dict.{n}": t for n, t in net.state_dict().items()}
        expected["view"] = content["view"]
        assert list(checkpoint.shapes) == list(expected)
        for name, tensor in expected.items():
            assert np.array_equal(checkpoint.tensor(name), tensor.numpy())
