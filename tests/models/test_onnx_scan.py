"""External data is found wherever a tensor can stand, and no bytes upset the search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import BundleError
from models.onnx_scan import refuse_external_data
from tests.models.rebundle import SHIPPED

onnx = pytest.importorskip("onnx")
helper = onnx.helper

MODEL = (SHIPPED / "model.onnx").read_bytes()


def outside(by_location_only: bool = False) -> onnx.TensorProto:
    tensor = onnx.numpy_helper.from_array(np.zeros(3, np.float32), "outside")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    if not by_location_only:
        tensor.ClearField("raw_data")
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "/etc/passwd"
    return tensor


def model_of(graph: onnx.GraphProto) -> bytes:
    return bytes(helper.make_model(graph).SerializeToString())


def test_the_shipped_model_is_whole() -> None:
    refuse_external_data(MODEL, "tcn-s")


@pytest.mark.parametrize("by_location_only", [False, True])
def test_an_initialiser_outside_is_found(by_location_only: bool) -> None:
    graph = helper.make_graph([], "g", [], [], [outside(by_location_only)])
    with pytest.raises(BundleError, match="other files"):
        refuse_external_data(model_of(graph), "here")


def test_a_constant_outside_is_found_in_a_branch() -> None:
    constant = helper.make_node("Constant", [], ["c"], value=outside())
    branch = helper.make_graph([constant], "branch", [], [])
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    with pytest.raises(BundleError, match="other files"):
        refuse_external_data(model_of(helper.make_graph([node], "g", [], [])), "here")


def test_a_sparse_initialiser_outside_is_found() -> None:
    sparse = onnx.SparseTensorProto()
    sparse.values.CopyFrom(outside())
    graph = helper.make_graph([], "g", [], [], sparse_initializer=[sparse])
    with pytest.raises(BundleError, match="other files"):
        refuse_external_data(model_of(graph), "here")


def test_a_function_body_is_searched() -> None:
    model = helper.make_model(helper.make_graph([], "g", [], []))
    constant = helper.make_node("Constant", [], ["c"], value=outside())
    model.functions.append(helper.make_function("d", "f", [], ["c"], [constant], []))
    with pytest.raises(BundleError, match="other files"):
        refuse_external_data(bytes(model.SerializeToString()), "here")


def wrapped(field: int, inner: bytes) -> bytes:
    """A protobuf message with one length-delimited field."""
    size, left = b"", len(inner)
    while left > 127:
        size += bytes([left & 127 | 128])
        left >>= 7
    return bytes([field << 3 | 2]) + size + bytes([left]) + inner


def test_endless_nesting_is_refused() -> None:
    graph = b""
    for _ in range(5000):
        graph = wrapped(1, wrapped(5, wrapped(6, graph)))  # node, attribute, graph
    with pytest.raises(BundleError, match="not an ONNX file"):
        refuse_external_data(wrapped(7, graph), "here")


def passes_or_is_refused(model: bytes) -> bool:
    try:
        refuse_external_data(model, "here")
    except BundleError as error:
        return "here" in str(error)
    return True


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_pass_or_are_refused(data: bytes) -> None:
    assert passes_or_is_refused(data)


@settings(deadline=None)
@given(st.integers(1, len(MODEL) - 1))
def test_a_cut_model_passes_or_is_refused(length: int) -> None:
    assert passes_or_is_refused(MODEL[:length])
