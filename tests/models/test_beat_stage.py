"""The beat stage as the runtime has it: bit for bit the same however it is asked."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.beat_stage import BeatJudgement, BeatStage
from models.beat_token import TOKEN_WIDTH as TOKEN
from models.beat_token import WAIT_S
from models.beat_window import WIDTH
from models.bundle import Bundle, load_bundle
from models.errors import BundleError, StepError
from models.manifest import BeatStage as StageFacts
from models.manifest import BundleFile, Manifest, Output, State
from models.training import splits
from tests.models.rebundle import NAME

onnx = pytest.importorskip("onnx")
HIDDEN = 4


def facts(**changes: Any) -> StageFacts:
    known: dict[str, Any] = {
        "input": "token",
        "width": TOKEN,
        "states": (
            State(name_in="h", name_out="h.next", shape=(HIDDEN,), dtype="float32", initial=0.5),
        ),
        "outputs": (
            Output(
                name="beats",
                kind="beats",
                labels=splits.BEAT_CLASSES,
                shape=(5,),
                frame_rate_hz=1.0,
            ),
            Output(
                name="rhythm", kind="rhythm", labels=splits.RHYTHMS, shape=(4,), frame_rate_hz=1.0
            ),
        ),
        "wait_ms": WAIT_S * 1000,
    }
    return StageFacts(**(known | changes))


def changed(**changes: Any) -> Output:
    return msgspec.structs.replace(facts().outputs[0], **changes)


def toy_model() -> bytes:
    """h' = tanh(token A + h B), and two linear heads of h'."""
    rng = np.random.default_rng(0)
    sizes = {"A": (TOKEN, HIDDEN), "B": (HIDDEN, HIDDEN), "C": (HIDDEN, 5), "D": (HIDDEN, 4)}
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT

    def tensor(name: str, width: int) -> Any:
        return helper.make_tensor_value_info(name, floats, [1, width])

    constants = [
        onnx.numpy_helper.from_array(rng.normal(0, 0.3, size).astype(np.float32), name)
        for name, size in sizes.items()
    ]
    nodes = [
        helper.make_node("MatMul", ["token", "A"], ["a"]),
        helper.make_node("MatMul", ["h", "B"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("Tanh", ["sum"], ["h.next"]),
        helper.make_node("MatMul", ["h.next", "C"], ["beats"]),
        helper.make_node("MatMul", ["h.next", "D"], ["rhythm"]),
    ]
    inputs = [tensor("token", TOKEN), tensor("h", HIDDEN)]
    outputs = [tensor("beats", 5), tensor("rhythm", 4), tensor("h.next", HIDDEN)]
    graph = helper.make_graph(nodes, "toy", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def bundle(stage: StageFacts | None) -> Bundle:
    shipped: Manifest = load_bundle(NAME).manifest
    entry = BundleFile(name="beats.onnx", role="beat-stage", size=1, sha256="0" * 64)
    manifest = msgspec.structs.replace(shipped, beat_stage=stage, files=(entry,))
    return Bundle(Path("toy"), manifest, MappingProxyType({"beats.onnx": toy_model()}), "0" * 64)


def beats(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    peaks_s = np.cumsum(rng.choice([0.4, 0.8, 1.2, 2.0, 3.0], count))
    return peaks_s, rng.normal(0, 300, (count, WIDTH)).astype(np.float32)


def judged(stage: BeatStage, seed: int, count: int, asked_s: list[float]) -> list[BeatJudgement]:
    found: list[BeatJudgement] = []
    for peak_s, row in zip(*beats(seed, count), strict=True):
        for now_s in sorted(s for s in asked_s if s <= peak_s):
            found += stage.expire(now_s)
        found += stage.push(float(peak_s), row)
    return found + stage.flush()


def same(one: list[BeatJudgement], other: list[BeatJudgement]) -> bool:
    return len(one) == len(other) and all(
        a.peak_s == b.peak_s
        and np.array_equal(a.beats, b.beats)
        and a.rhythm is not None
        and b.rhythm is not None
        and np.array_equal(a.rhythm, b.rhythm)
        for a, b in zip(one, other, strict=True)
    )


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 99), asked_s=st.lists(st.floats(0, 30), max_size=8))
def test_how_often_it_is_asked_changes_nothing(seed: int, asked_s: list[float]) -> None:
    stage = BeatStage(bundle(facts()))
    plain = judged(stage, seed, 25, [])
    stage.reset()
    last_s = beats(seed, 25)[0][-1]
    assert same(plain, judged(stage, seed, 25, [s for s in asked_s if s <= last_s]))
    assert [j.peak_s for j in plain] == list(beats(seed, 25)[0])


def test_judgements_are_probabilities_that_depend_on_the_past() -> None:
    stage = BeatStage(bundle(facts()))
    found = judged(stage, 1, 20, [])
    for judgement in found:
        assert judgement.beats.shape == (5,)
        assert judgement.rhythm is not None
        assert judgement.rhythm.shape == (4,)
        for values in (judgement.beats, judgement.rhythm):
            assert values.dtype == np.float32
            assert (values >= 0).all()
            assert values.sum() == pytest.approx(1, abs=1e-5)
    later_s, rows = beats(1, 21)[0] + 100, beats(1, 21)[1]
    for peak_s, row in zip(later_s, rows, strict=True):
        found += stage.push(float(peak_s), row)
    assert not np.array_equal(found[0].beats, found[20].beats)  # the same beat, another past


def test_reset_forgets_the_state() -> None:
    stage = BeatStage(bundle(facts()))
    first = judged(stage, 2, 10, [])
    stage.reset()
    assert same(first, judged(stage, 2, 10, []))
    stage.reset()
    assert stage.flush() == []


def test_a_refused_beat_changes_nothing() -> None:
    stage, (peaks_s, rows) = BeatStage(bundle(facts())), beats(3, 6)
    found: list[BeatJudgement] = []
    for peak_s, row in zip(peaks_s, rows, strict=True):
        found += stage.push(float(peak_s), row)
        with pytest.raises(StepError):
            stage.push(float(peak_s), row)
        with pytest.raises(StepError):
            stage.push(float(peak_s) + 0.1, np.full(WIDTH, np.nan, np.float32))
    assert same(found + stage.flush(), judged(BeatStage(bundle(facts())), 3, 6, []))


def test_without_a_rhythm_head_there_is_no_rhythm() -> None:
    stage = BeatStage(bundle(facts(outputs=facts().outputs[:1])))
    assert all(j.rhythm is None for j in judged(stage, 4, 5, []))


@pytest.mark.parametrize(
    ("stage", "complaint"),
    [
        (None, "has no beat stage"),
        (facts(width=TOKEN + 1), "tokens of"),
        (facts(wait_ms=1500.0), "after 1500 ms"),
        (facts(outputs=facts().outputs[1:]), "no output of kind 'beats'"),
        (facts(input="tokens"), "the beat stage takes"),
        (facts(states=()), "the beat stage takes"),
        (facts(outputs=(changed(name="other"),)), "no output 'other'"),
        (facts(outputs=(changed(shape=(4,)),)), "fails on silence"),
    ],
)
def test_a_stage_that_does_not_fit_is_refused(stage: StageFacts | None, complaint: str) -> None:
    with pytest.raises(BundleError, match=complaint):
        BeatStage(bundle(stage))
