"""The LiteRT graph writer: the same integers as the ONNX graph, and exact streaming."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx")
Interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
ort = pytest.importorskip("onnxruntime")

from models.training.litert_graph import LiteRTGraph  # noqa: E402
from tests.models.toy_network import RANGES, litert_model, onnx_model, write  # noqa: E402

ONNX, STATES = onnx_model()
LITERT = litert_model()
SESSION = ort.InferenceSession(ONNX, providers=["CPUExecutionProvider"])
INTEGERS = [state for state in STATES if state.dtype == "uint8"]
Tensors = dict[str, np.ndarray]


def silence(leads: int = 1) -> Tensors:
    """LiteRT's tensors before the first hop."""
    zero = {s.name_in: -128 if s.dtype == "uint8" else 0 for s in STATES}
    kind = {s.name_in: np.int8 if s.dtype == "uint8" else np.float32 for s in STATES}
    return {
        s.name_in: np.full((leads, *s.shape), s.initial + zero[s.name_in], kind[s.name_in])
        for s in STATES
    }


def feed(signal: np.ndarray, past: Tensors) -> Tensors:
    """signal: (leads, samples)."""
    samples = np.ascontiguousarray(signal, np.float32)[:, None, :, None]
    return {"samples": samples, "weights": np.ones((len(signal), 1), np.float32), **past}


def answer(interpreter: Any, tensors: Tensors) -> Tensors:
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], tensors[detail["name"]])
    interpreter.invoke()
    return {d["name"]: interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()}


def opened(tensors: Tensors) -> Any:
    """An interpreter for so many leads and samples: the graph says neither."""
    interpreter = Interpreter(model_content=LITERT, num_threads=1)
    for detail in interpreter.get_input_details():
        interpreter.resize_tensor_input(detail["index"], tensors[detail["name"]].shape)
    interpreter.allocate_tensors()
    return interpreter


def stream(signal: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    """Frames, and every integer that is carried at the end; sizes in samples."""
    past, frames, at = silence(len(signal)), [], 0
    for size in sizes:
        tensors = feed(signal[:, at : at + size], past)
        given = answer(opened(tensors), tensors)
        past = {s.name_in: given[s.name_out] for s in STATES}
        frames.append([given["qrs"], given["features"]])
        at += size
    heads = [np.concatenate([f[k] for f in frames], axis=2) for k in range(2)]
    return heads + [past[s.name_in] for s in INTEGERS]


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(0, 100))
def test_any_chunking_gives_the_same_integers(chunks: list[int], seed: int) -> None:
    sizes = [8 * chunk for chunk in chunks]  # whole strides
    signal = np.random.default_rng(seed).normal(0, 2, (1, sum(sizes)))
    one_pass = stream(signal, [sum(sizes)])
    assert all(np.array_equal(a, b) for a, b in zip(stream(signal, sizes), one_pass, strict=True))


def test_leads_in_a_batch_do_not_touch() -> None:
    signal = np.random.default_rng(7).normal(0, 2, (3, 256))
    together = stream(signal, [128, 128])
    for lead in range(3):
        alone = stream(signal[lead : lead + 1], [128, 128])
        assert all(np.array_equal(a[lead], b[0]) for a, b in zip(together, alone, strict=True))


def test_it_agrees_with_onnx_runtime() -> None:
    """The fixed-point addition of XNNPACK may round another way than ONNX Runtime's float one."""
    interpreter = opened(feed(np.zeros((1, 128)), silence()))
    past = {s.name_in: np.full((1, *s.shape), s.initial, s.dtype) for s in STATES}
    litert_past, steps, same = silence(), [], []
    signal = np.random.default_rng(11).normal(0, 2, (60, 1, 128))
    for hop in signal:
        names = [output.name for output in SESSION.get_outputs()]
        wanted = dict(zip(names, SESSION.run(names, feed(hop, past)), strict=True))
        got = answer(interpreter, feed(hop, litert_past))
        past = {s.name_in: wanted[s.name_out] for s in STATES}
        litert_past = {s.name_in: got[s.name_out] for s in STATES}
        for state in INTEGERS:
            difference = past[state.name_in].astype(int) - litert_past[state.name_in] - 128
            steps.append(np.abs(difference).max())
            same.append((difference == 0).mean())
    assert max(steps) <= 3
    assert np.mean(same) > 0.99
    np.testing.assert_allclose(got["rhythm"], wanted["rhythm"], atol=0.1)


def test_the_float_parts_follow_the_same_formulas() -> None:
    """Fed the very same past, pools and heads differ by the rounding of floats alone."""
    tensors = feed(np.zeros((1, 128)), silence())
    tensors["total"] = np.linspace(0, 5, 32, dtype=np.float32)[None]
    tensors["weight"] = np.full((1, 1), 3, np.float32)
    got = answer(opened(tensors), tensors)
    past = {s.name_in: np.full((1, *s.shape), s.initial, s.dtype) for s in STATES}
    past |= {name: tensors[name] for name in ("total", "weight")}
    names = ["embedding", "rhythm", "ventricular", "quality"]
    for name, wanted in zip(names, SESSION.run(names, feed(np.zeros((1, 128)), past)), strict=True):
        np.testing.assert_allclose(got[name], wanted, rtol=1e-5, atol=1e-5)


def test_building_twice_gives_the_same_bytes() -> None:
    assert litert_model() == LITERT
    graph = LiteRTGraph(RANGES, 128)
    write(graph)
    assert graph.build(["qrs"]) == graph.build(["qrs"])


def test_every_constant_is_aligned() -> None:
    from models.flatbuffer import read_root
    from models.litert_schema import IDENTIFIER, TABLES

    start = np.frombuffer(LITERT, np.uint8).ctypes.data
    for buffer in read_root(LITERT, IDENTIFIER, TABLES, "Model")["buffers"][1:]:
        assert (buffer["data"].ctypes.data - start) % 16 == 0
