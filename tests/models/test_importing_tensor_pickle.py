"""The pickle of a checkpoint is read as data; whatever else it holds is refused, never run."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ModelError
from models.importing.tensor_pickle import TensorRecord, tensor_records
from tests.models.torch_file import malicious_pickle, state_dict_pickle, tensor_opcodes, text

TENSORS = {"a.weight": np.zeros((2, 3), np.float32), "a.count": np.array(7, np.int64)}
PLAIN = state_dict_pickle(TENSORS)


def test_a_state_dict_gives_its_records_in_order() -> None:
    assert tensor_records(PLAIN, "file") == {
        "a.weight": TensorRecord("0", "<f4", 6, 0, (2, 3), (3, 1)),
        "a.count": TensorRecord("1", "<i8", 1, 0, (), ()),
    }


def test_dictionaries_within_are_joined_with_dots_and_all_else_is_passed_over() -> None:
    tensor = tensor_opcodes("0", np.zeros(2, np.float32))
    lists = b"](K\x01K\x02e"
    program = b"\x80\x02}(" + text("step") + b"K\x05" + text("more") + lists
    program += text("model") + b"}" + text("w") + tensor + b"s" + b"u."
    assert list(tensor_records(program, "file")) == ["model.w"]


@pytest.mark.parametrize("protocol", range(1, pickle.HIGHEST_PROTOCOL + 1))
def test_code_is_refused_by_name_and_does_not_run(protocol: int, tmp_path: Path) -> None:
    target = tmp_path / "touched"
    program = malicious_pickle(target, protocol)
    with pytest.raises(ModelError, match=r"net\.pth: .*'(posix|nt)\.system'.*was not run"):
        tensor_records(program, "net.pth")
    assert not target.exists()
    pickle.loads(program)
    assert target.exists()  # so the pickle was dangerous indeed


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (b"\x80\x02cbuiltins\neval\n.", r"'builtins\.eval'"),
        (b"\x80\x02ctorch\nload\n.", r"'torch\.load'"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.", "__globals__"),
        (b"\x80\x02ctorch\nBFloat16Storage\n.", r"'torch\.BFloat16Storage'"),
        (b"(dp0\n.", "DICT"),
        (b"(S'true'\nios\nsystem\n.", "STRING"),
        (b"\x80\x02(ios\nsystem\n.", "INST"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x04]]\x92.", "NEWOBJ_EX"),
    ],
)
def test_what_tensors_do_not_need_is_named(program: bytes, name: str) -> None:
    with pytest.raises(ModelError, match=name):
        tensor_records(program, "file")


def test_a_marked_function_can_not_be_called_with_anything_else() -> None:
    with pytest.raises(ModelError, match="malformed"):
        tensor_records(b"\x80\x02ccollections\nOrderedDict\n(K\x01tR.", "file")
    with pytest.raises(ModelError, match="malformed"):
        tensor_records(b"\x80\x02ctorch\nFloatStorage\n)R.", "file")


def test_a_dictionary_that_holds_itself_ends() -> None:
    with pytest.raises(ModelError, match="deeper"):
        tensor_records(b"\x80\x02}q\x00" + text("a") + b"h\x00s.", "file")


def test_dictionaries_that_double_at_each_level_end() -> None:
    level = b"}q\x00" + b"".join(text(str(i)) + b"K\x00s" for i in range(200))
    wide = level
    for slot in range(1, 5):
        wide += b"}q" + bytes([slot])
        wide += b"".join(text(str(i)) + b"h" + bytes([slot - 1]) + b"s" for i in range(200))
    with pytest.raises(ModelError, match="too many"):
        tensor_records(b"\x80\x02" + wide + b".", "file")


@pytest.mark.parametrize("length", range(0, len(PLAIN), 7))
def test_a_cut_pickle_is_refused(length: int) -> None:
    with pytest.raises(ModelError, match="cut or malformed"):
        tensor_records(PLAIN[:length], "file")


@given(st.binary(max_size=200))
def test_random_bytes_give_records_or_a_refusal(program: bytes) -> None:
    _records_or_refusal(program)


@given(st.integers(0, len(PLAIN) - 1), st.integers(0, 255))
def test_a_changed_byte_gives_records_or_a_refusal(at: int, value: int) -> None:
    _records_or_refusal(PLAIN[:at] + bytes([value]) + PLAIN[at + 1 :])


def _records_or_refusal(program: bytes) -> None:
    try:
        records = tensor_records(program, "file")
    except ModelError:
        return
    assert all(isinstance(record, TensorRecord) for record in records.values())


def test_a_plain_pickle_without_tensors_is_empty() -> None:
    assert tensor_records(pickle.dumps(OrderedDict(a=1, b="x"), 2), "file") == {}
