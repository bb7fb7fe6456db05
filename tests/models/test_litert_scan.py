"""Hostile and damaged LiteRT models: refused with a reason, never run, never a crash."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx")
schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
import flatbuffers  # noqa: E402

from models.errors import BundleError  # noqa: E402
from models.litert_scan import scan_litert  # noqa: E402
from tests.models.toy_network import litert_model  # noqa: E402
from tests.patience import PROGRAM_S  # noqa: E402

MODEL = litert_model()
CODES = {
    code.builtinCode: number
    for number, code in enumerate(schema.ModelT.InitFromPackedBuf(MODEL).operatorCodes)
}


def changed(change: Callable[[Any], None]) -> bytes:
    """The model as its author could have written it otherwise."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(MODEL))  # so that arrays can be written
    change(model)
    builder = flatbuffers.Builder(1 << 15)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def steps(model: Any, operator: int) -> list[Any]:
    return [s for s in model.subgraphs[0].operators if s.opcodeIndex == CODES[operator]]


def tensor(model: Any, name: bytes) -> Any:
    return next(t for t in model.subgraphs[0].tensors if t.name == name)


def custom(model: Any) -> None:
    model.operatorCodes[0].customCode = b"Evil"


def custom_options(model: Any) -> None:
    model.subgraphs[0].operators[0].customOptions = [1, 2]


def call_once(model: Any) -> None:
    model.operatorCodes[0].builtinCode = schema.BuiltinOperator.CALL_ONCE


def external_buffer(model: Any) -> None:
    model.subgraphs[0].tensors[0].externalBuffer = 1


def outside(model: Any) -> None:
    model.buffers[3].offset, model.buffers[3].size = 2, 1 << 20


def second_graph(model: Any) -> None:
    model.subgraphs.append(model.subgraphs[0])


def variable(model: Any) -> None:
    tensor(model, b"total").isVariable = True


def short_weights(model: Any) -> None:
    buffer = model.buffers[tensor(model, b"wide.weight").buffer]
    buffer.data = buffer.data[:-1]


def no_stride(model: Any) -> None:
    steps(model, schema.BuiltinOperator.CONV_2D)[0].builtinOptions.strideW = 0


def fused(model: Any) -> None:
    steps(model, schema.BuiltinOperator.CONV_2D)[0].builtinOptions.fusedActivationFunction = 1


def wrong_shape(model: Any) -> None:
    tensor(model, b"down").shape[2] = 2


def huge(model: Any) -> None:
    tensor(model, b"samples").shape[2] = 2**30


def missing_input(model: Any) -> None:
    steps(model, schema.BuiltinOperator.ADD)[0].inputs[0] = -1


def far_tensor(model: Any) -> None:
    steps(model, schema.BuiltinOperator.ADD)[0].inputs[0] = 9999


def far_buffer(model: Any) -> None:
    tensor(model, b"wide.weight").buffer = 9999


def far_code(model: Any) -> None:
    model.subgraphs[0].operators[0].opcodeIndex = 99


def disorder(model: Any) -> None:
    model.subgraphs[0].operators.reverse()


def no_scale(model: Any) -> None:
    tensor(model, b"down").quantization = None


def bad_scale(model: Any) -> None:
    tensor(model, b"down").quantization.scale[0] = float("nan")


def other_scale(model: Any) -> None:
    tensor(model, b"wide.past").quantization.scale[0] *= 2


def far_scale(model: Any) -> None:
    """LiteRT's own ADD aborts the process at this."""
    tensor(model, b"block+").quantization.scale[0] = 65536


def far_axis(model: Any) -> None:
    steps(model, schema.BuiltinOperator.CONCATENATION)[0].builtinOptions.axis = 7


def unknown_output(model: Any) -> None:
    model.subgraphs[0].outputs[0] = 9999


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (custom, "OperatorCode is not supported"),
        (custom_options, "Operator is not supported"),
        (call_once, "operator 129 is not supported"),
        (external_buffer, "Tensor is not supported"),
        (outside, "Buffer is not supported"),
        (second_graph, "not one graph"),
        (variable, "Tensor is not supported"),
        (short_weights, "bytes for"),
        (no_stride, "stride"),
        (fused, "options:1 is not supported"),
        (wrong_shape, "makes int8"),
        (huge, "has the shape"),
        (missing_input, "other inputs"),
        (far_tensor, "other inputs"),
        (far_buffer, "type or buffer"),
        (far_code, "without a code"),
        (disorder, "other inputs"),
        (no_scale, "no one scale"),
        (bad_scale, "no sane scale"),
        (other_scale, "scales differ|makes int8"),
        (far_scale, "scales too far apart"),
        (far_axis, "axis"),
        (unknown_output, "output is not computed"),
    ],
)
def test_what_no_encoder_needs_is_refused(change: Callable[[Any], None], reason: str) -> None:
    with pytest.raises(BundleError, match=rf"^here: .*({reason}).*export it again"):
        scan_litert(changed(change), "here")


def test_the_model_as_written_is_let_through() -> None:
    scan_litert(MODEL, "here")
    scan_litert(changed(lambda model: None), "here")


@settings(deadline=None, max_examples=100)
@given(st.integers(0, len(MODEL) - 1))
def test_a_truncated_model_is_refused(size: int) -> None:
    with pytest.raises(BundleError, match="here"):
        scan_litert(MODEL[:size], "here")


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=64))
def test_bytes_that_are_no_model_are_refused(noise: bytes) -> None:
    for data in (noise, noise[:4].ljust(4, b"\0") + b"TFL3" + noise):
        with pytest.raises(BundleError, match="here"):
            scan_litert(data, "here")


def test_tables_that_share_their_bytes_end() -> None:
    """Each operator of a long list is one and the same table: small on disk, long to read."""

    def repeat(model: Any) -> None:
        model.operatorCodes = model.operatorCodes * 5000

    with pytest.raises(BundleError, match="more tables"):
        scan_litert(changed(repeat), "here")


def test_no_damage_makes_the_interpreter_crash(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(MODEL)
    command = [sys.executable, "-m", "tests.models.fuzz_litert", str(path), "300", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PROGRAM_S)
    assert done.returncode == 0, done.stderr[-2000:]
    refused, ran = map(int, done.stdout.split())
    assert refused > 100
    assert ran > 10
