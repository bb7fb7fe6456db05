"""What a bundle may not have is found wherever it can stand, and no bytes upset the search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import BundleError
from models.onnx_scan import scan_onnx
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
    scan_onnx(MODEL, "tcn-s")


@pytest.mark.parametrize("by_location_only", [False, True])
def test_an_initialiser_outside_is_found(by_location_only: bool) -> None:
    graph = helper.make_graph([], "g", [], [], [outside(by_location_only)])
    with pytest.raises(BundleError, match="other files"):
        scan_onnx(model_of(graph), "here")


def test_a_constant_outside_is_found_in_a_branch() -> None:
    constant = helper.make_node("Constant", [], ["c"], value=outside())
    branch = helper.make_graph([constant], "branch", [], [])
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    with pytest.raises(BundleError, match="other files"):
        scan_onnx(model_of(helper.make_graph([node], "g", [], [])), "here")


def test_a_sparse_initialiser_outside_is_found() -> None:
    sparse = onnx.SparseTensorProto()
    sparse.values.CopyFrom(outside())
    graph = helper.make_graph([], "g", [], [], sparse_initializer=[sparse])
    with pytest.raises(BundleError, match="other files"):
        scan_onnx(model_of(graph), "here")


def test_a_function_body_is_searched() -> None:
    model = helper.make_model(helper.make_graph([], "g", [], []))
    constant = helper.make_node("Constant", [], ["c"], value=outside())
    model.functions.append(helper.make_function("d", "f", [], ["c"], [constant], []))
    with pytest.raises(BundleError, match="other files"):
        scan_onnx(bytes(model.SerializeToString()), "here")


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
        scan_onnx(wrapped(7, graph), "here")


def passes_or_is_refused(model: bytes) -> bool:
    try:
        scan_onnx(model, "here")
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


def test_the_shipped_model_is_counted_as_onnx_counts_it() -> None:
    facts, graph = scan_onnx(MODEL, "here"), onnx.load_from_string(MODEL).graph
    assert facts.nodes == len(graph.node) == sum(facts.operators.values())
    assert facts.tensors == len(graph.initializer)
    assert facts.elements == sum(int(np.prod(tensor.dims)) for tensor in graph.initializer)
    convs = [node for node in graph.node if node.op_type == "QLinearConv"]
    assert facts.operators["com.microsoft::QLinearConv"] == len(convs)


def strange(op_type: str = "Run", domain: str = "org.example") -> onnx.NodeProto:
    return helper.make_node(op_type, [], ["y"], domain=domain)


def nested() -> onnx.GraphProto:
    branch = helper.make_graph([strange()], "branch", [], [])
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    return helper.make_graph([node], "g", [], [])


def with_function() -> onnx.ModelProto:
    model = helper.make_model(helper.make_graph([], "g", [], []))
    opsets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("", "f", [], ["y"], [strange()], opsets))
    return model


STRANGE = {
    "a node": helper.make_model(helper.make_graph([strange()], "g", [], [])),
    "a branch": helper.make_model(nested()),
    "a function body": with_function(),
    "an opset": helper.make_model(
        helper.make_graph([], "g", [], []), opset_imports=[helper.make_opsetid("org.example", 1)]
    ),
    "machine learning": helper.make_model(
        helper.make_graph([strange("TreeEnsemble", "ai.onnx.ml")], "g", [], [])
    ),
}


@pytest.mark.parametrize("model", STRANGE.values(), ids=STRANGE)
def test_operators_that_are_not_built_in_are_refused(model: onnx.ModelProto) -> None:
    with pytest.raises(BundleError, match=r"domain '(org\.example|ai\.onnx\.ml)'"):
        scan_onnx(model.SerializeToString(), "here")


@pytest.mark.parametrize("domain", ["", "ai.onnx", "com.microsoft"])
def test_built_in_domains_pass(domain: str) -> None:
    graph = helper.make_graph([strange("Relu", domain)], "g", [], [])
    assert scan_onnx(model_of(graph), "here").nodes == 1


def test_a_sparse_tensor_counts_as_it_unfolds() -> None:
    sparse = onnx.SparseTensorProto(dims=[1 << 20, 1 << 20])
    graph = helper.make_graph([], "g", [], [], sparse_initializer=[sparse])
    with pytest.raises(BundleError, match="elements"):
        scan_onnx(model_of(graph), "here")


def test_too_many_nodes_are_refused() -> None:
    graph = wrapped(1, wrapped(4, b"Relu")) * 50_001
    with pytest.raises(BundleError, match="more than 50000 nodes"):
        scan_onnx(wrapped(7, graph), "here")


def test_a_field_number_that_readers_cut_differently_is_refused() -> None:
    """Cut to 32 bits, this tag says `graph`; taken whole, a field that no one knows."""
    tag = bytes([7 << 3 | 2 | 0x80, 0x80, 0x80, 0x80, 0x10])
    with pytest.raises(BundleError, match="not an ONNX file"):
        scan_onnx(tag + b"\x00", "here")


HOSTILE = {
    "endless dimensions": wrapped(7, wrapped(5, wrapped(1, b"\x02" * 200_000))),
    "countless fields": b"\x08\x01" * 500_001,
    "a length beyond the end": b"\x3a\xff\xff\xff\xff\x0f",
    "an endless varint": b"\x08" + b"\xff" * 20,
    "a domain that is no text": wrapped(8, wrapped(1, b"\xff\xfe")),
}


@pytest.mark.parametrize("model", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_are_refused_in_bounded_time(model: bytes) -> None:
    with pytest.raises(BundleError, match="not an ONNX file"):
        scan_onnx(model, "here")
