"""A session is tested before its first use, once while it is in use, and again where it failed."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from models import self_test
from models.activation import Activation
from models.beat_stage import BeatStage
from models.beat_window import WIDTH
from models.bundle import Bundle, load_bundle
from models.encoder import Encoder
from models.errors import BundleError, ModelError
from models.golden import check_golden
from models.onnx_encoder import OnnxEncoder
from models.registry import open_encoder
from models.self_test import open_tested
from models.shared import SharedRuntime, distrust, shared_by
from tests.models.rebundle import NAME, copy_to, edit_manifest, hops

Tested = list[tuple[str, int]]


@pytest.fixture(name="tested")
def _tested(monkeypatch: pytest.MonkeyPatch) -> Tested:
    """Version of the bundle and copies of its leads, a self-test."""
    held: Tested = []

    def check(bundle: Bundle, encoder: Encoder, copies: int = 1) -> float:
        held.append((bundle.manifest.version, copies))
        return check_golden(bundle, encoder, copies)

    monkeypatch.setattr(self_test, "check_golden", check)
    return held


@pytest.fixture(name="bundle")
def _bundle(tmp_path: Path) -> Bundle:
    """With a manifest that no other test has: nothing in the process has passed its test."""
    facts = {"version": "7.7.7", "description": str(tmp_path)}
    return changed(tmp_path, lambda manifest: manifest.update(facts))


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> Bundle:
    copy = folder / NAME if (folder / NAME).exists() else copy_to(folder)
    edit_manifest(copy, change)
    return load_bundle(copy)


def runtime(encoder: object) -> SharedRuntime:
    found = shared_by(encoder)
    assert found is not None
    return found


def need(device: str) -> None:
    if device == "litert":
        pytest.importorskip("ai_edge_litert")


@pytest.mark.parametrize("device", ["cpu", "litert", "auto"])
def test_further_encoders_of_a_session_in_use_are_not_tested_again(
    bundle: Bundle, tested: Tested, device: str
) -> None:
    need(device)
    first = open_encoder(bundle, 1, device)
    more = [open_encoder(bundle, 1, device) for _ in range(3)]
    assert tested == [("7.7.7", 1)]
    for hop in hops(3):
        expected = {name: np.array(value) for name, value in first.step(hop).items()}
        for each in more:
            answers = each.step(hop)
            assert all(np.array_equal(answers[name], expected[name]) for name in expected)


def test_the_same_files_read_again_are_the_same_bundle(bundle: Bundle, tested: Tested) -> None:
    first = open_encoder(bundle, 1, "cpu")
    again = open_encoder(load_bundle(bundle.path), 1, "cpu")
    assert runtime(first) is runtime(again)
    assert len(tested) == 1


@pytest.mark.parametrize(("device", "tests"), [("cpu", [3]), ("litert", [3, 2])])
def test_what_is_tested_is_the_session_that_serves(
    bundle: Bundle, tested: Tested, device: str, tests: list[int]
) -> None:
    """LiteRT has an interpreter for each number of leads, ONNX Runtime one session for all."""
    need(device)
    encoders = [open_encoder(bundle, leads, device) for leads in (3, 2, 3, 2)]
    assert tested == [("7.7.7", copies) for copies in tests]
    assert len({id(runtime(each)) for each in encoders}) == len(tests)


@pytest.mark.parametrize("leads", [2, 12])
@pytest.mark.parametrize("device", ["cpu", "litert"])
def test_leads_that_are_alike_answer_as_one(device: str, leads: int) -> None:
    need(device)
    bundle = load_bundle(NAME)
    deviation = check_golden(bundle, open_encoder(bundle, leads, device), leads)
    assert deviation <= bundle.manifest.golden.tolerance


def test_a_session_that_nobody_uses_any_more_is_forgotten(bundle: Bundle, tested: Tested) -> None:
    for _ in range(2):
        open_encoder(bundle, 1, "cpu:7")  # which no other test has
        gc.collect()
    assert len(tested) == 2


def test_another_device_is_tested_for_itself(bundle: Bundle, tested: Tested) -> None:
    pytest.importorskip("ai_edge_litert")
    kept = [open_encoder(bundle, 1, device) for device in ("cpu", "litert", "cpu:2")]
    assert len(tested) == len({id(runtime(each)) for each in kept}) == 3


def test_a_bundle_that_changed_on_disk_is_tested_anew(bundle: Bundle, tested: Tested) -> None:
    first = open_encoder(bundle, 1, "cpu")
    fresh = changed(bundle.path.parent, lambda manifest: manifest.update(version="8.0.0"))
    second = open_encoder(fresh, 1, "cpu")
    assert runtime(first) is runtime(second)  # the model is the same, the promises are not
    assert tested == [("7.7.7", 1), ("8.0.0", 1)]


def test_a_wrong_bundle_gains_nothing_from_the_session_of_a_good_one(bundle: Bundle) -> None:
    good = open_encoder(bundle, 1, "cpu")

    def wrong_start(manifest: dict[str, Any]) -> None:
        for state in manifest["states"]:
            state["initial"] = 0

    bad = changed(bundle.path.parent, wrong_start)
    for _ in range(2):  # a failure is not remembered as a pass
        with pytest.raises(BundleError, match="fails its self-test"):
            open_encoder(bad, 1, "cpu")
    assert good.step(hops(1)[0])


def test_other_bytes_under_the_same_digest_are_another_bundle(bundle: Bundle) -> None:
    good = open_encoder(bundle, 1, "cpu")
    name = bundle.manifest.golden.file
    empty = MappingProxyType({**bundle.files, name: b"{}"})
    with pytest.raises(BundleError, match=r"golden\.json"):
        open_encoder(dataclasses.replace(bundle, files=empty), 1, "cpu")
    assert open_encoder(bundle, 1, "cpu").manifest is good.manifest


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_a_session_that_failed_in_a_step_is_tested_before_it_serves_another(
    bundle: Bundle, tested: Tested, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [open_encoder(bundle, 1, device), OnnxEncoder(bundle, 1)]

    def fail() -> None:
        raise ModelError("the device is gone")

    with monkeypatch.context() as patch:
        patch.setattr(kept[1]._network, "run", fail)  # type: ignore[attr-defined]
        with pytest.raises(ModelError, match="gone"):
            kept[1].step(hops(1)[0])
    open_encoder(bundle, 1, "cpu")
    assert tested[-1] == ("7.7.7", 1)
    assert len(tested) == 2


def test_a_beat_stage_that_failed_is_tested_before_it_serves_another(
    bundle: Bundle, tested: Tested, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, stage = open_encoder(bundle, 1, "cpu"), BeatStage(bundle)

    def fail() -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(stage._network, "run", fail)
        stage.push(1.0, np.zeros(WIDTH, np.float32))
        with pytest.raises(ModelError, match="out of memory"):
            stage.flush()
    kept = [first, open_encoder(bundle, 1, "cpu"), open_encoder(bundle, 1, "cpu")]
    assert len(tested) == 2
    assert len(kept) == 3


def test_the_beat_stage_that_was_tested_is_the_one_that_serves(bundle: Bundle) -> None:
    encoder = open_encoder(bundle, 1, "cpu")
    test = bundle.sha256, tuple(bundle.files.values())
    assert runtime(encoder).has_passed(test)
    assert runtime(BeatStage(bundle)).has_passed(test)


def test_what_shares_nothing_is_tested_each_time(bundle: Bundle, tested: Tested) -> None:
    class Foreign:
        """An encoder of another package; it may hear leads together."""

        def __init__(self, leads: int) -> None:
            real = OnnxEncoder(bundle, leads)
            self.manifest, self.providers = real.manifest, real.providers
            self.step, self.reset = real.step, real.reset

    opened: list[int] = []

    def open_for(leads: int) -> Encoder:
        opened.append(leads)
        return Foreign(leads)

    kept = [open_tested(bundle, leads, open_for) for leads in (1, 1, 2)]
    assert tested == [("7.7.7", 1)] * 3
    assert opened == [1, 1, 2, 1]
    distrust(kept[0])  # of which there is nothing to forget


def test_what_an_activation_has_verified_opens_without_a_test(
    bundle: Bundle, tested: Tested
) -> None:
    activation = Activation(bundle.path, "cpu")
    for leads in (1, 2, 12):
        activation.open_encoder(leads)
    assert tested == [("7.7.7", 1)]
    changed(bundle.path.parent, lambda manifest: manifest.update(version="8.0.0"))
    activation.replace(bundle.path)
    activation.open_encoder(1)
    assert tested == [("7.7.7", 1), ("8.0.0", 1)]
