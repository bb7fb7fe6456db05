"""Streams of one bundle share its sessions and keep their pasts apart."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from models.beat_stage import BeatStage
from models.beat_window import WIDTH
from models.bundle import load_bundle
from models.registry import open_encoder
from models.shared import SharedRuntime, shared
from tests.patience import PROGRAM_S

HOPS = 6


@pytest.fixture(scope="module")
def bundle():
    return load_bundle("tcn-s")


def hops(seed, manifest, leads=1):
    rng = np.random.default_rng(seed)
    shape = (HOPS, leads, manifest.input.hop_samples)
    return (rng.standard_normal(shape) * 300).astype(np.float32)


def alone(bundle, device, seed):
    encoder = open_encoder(bundle, 1, device)
    return [heads(encoder, hop) for hop in hops(seed, bundle.manifest)]


def heads(encoder, hop):
    return {name: np.array(value) for name, value in encoder.step(hop).items()}


def same(left, right):
    return all(np.array_equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("device", ["cpu", "litert"])
def test_streams_taking_turns_hear_what_each_hears_alone(bundle, device):
    if device == "litert":
        pytest.importorskip("ai_edge_litert")
    expected = [alone(bundle, device, seed) for seed in range(3)]
    encoders = [open_encoder(bundle, 1, device) for _ in range(3)]
    signals = [hops(seed, bundle.manifest) for seed in range(3)]
    for turn in range(HOPS):
        for stream in (2, 0, 1):
            told = heads(encoders[stream], signals[stream][turn])
            assert same(told, expected[stream][turn])


@pytest.mark.parametrize("device", ["cpu", "litert"])
def test_streams_in_threads_hear_what_each_hears_alone(bundle, device):
    if device == "litert":
        pytest.importorskip("ai_edge_litert")
    expected = [alone(bundle, device, seed) for seed in range(4)]
    told = {}
    threads = [
        threading.Thread(target=lambda seed=seed: told.update({seed: alone(bundle, device, seed)}))
        for seed in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(4):
        assert all(map(same, told[seed], expected[seed]))


def test_beat_stages_keep_their_pasts_apart(bundle):
    def judged(stage, seed, beats=range(8)):
        rng = np.random.default_rng(seed)
        windows = (rng.standard_normal((8, WIDTH)) * 200).astype(np.float32)
        return [j.beats.tolist() for k in beats for j in stage.push(k * 0.8, windows[k])]

    expected = [judged(BeatStage(bundle), seed) for seed in range(2)]
    stages = [BeatStage(bundle), BeatStage(bundle)]
    told = [[], []]
    for beat in range(8):
        for seed in range(2):
            told[seed] += judged(stages[seed], seed, [beat])
    assert told == expected


def test_one_runtime_for_the_same_bytes_and_gone_with_its_last_user():
    class Runtime:
        pass

    opened = []

    def make():
        opened.append(Runtime())
        return opened[-1]

    first, second = shared(b"model", "a", make), shared(b"model", "a", make)
    other, way = shared(b"another", "a", make), shared(b"model", "b", make)
    assert first is second
    assert len({id(each.runtime) for each in (first, other, way)}) == 3
    del first, second
    gc.collect()
    shared(b"model", "a", make)
    assert len(opened) == 4


def test_an_opening_that_fails_is_tried_again():
    def fail():
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError):
        shared(b"bad", "a", fail)
    assert shared(b"bad", "a", lambda: "runtime").runtime == "runtime"


def test_an_opening_waits_for_no_other_model():
    begun, finish = threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert finish.wait(PROGRAM_S)
        return "slow"

    in_use, opened = shared(b"in use", "a", lambda: "in use"), []
    waiting = threading.Thread(target=lambda: opened.append(shared(b"slow", "a", slow)))
    waiting.start()
    try:
        assert begun.wait(PROGRAM_S)
        assert shared(b"in use", "a", lambda: "another") is in_use
        assert shared(b"other", "a", lambda: "other").runtime == "other"
    finally:
        finish.set()
        waiting.join()
    assert opened[0].runtime == "slow"


def test_threads_that_want_the_same_open_it_once():
    opened, found = [], []
    together = threading.Barrier(8)

    def make():
        opened.append(object())
        return opened[-1]

    def want():
        together.wait(PROGRAM_S)
        found.append(shared(b"wanted", "a", make))

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1
    assert {id(each) for each in found} == {id(found[0])}


def test_a_pass_holds_until_a_failure_of_any_session_that_took_part():
    encoder, stage = SharedRuntime("encoder"), SharedRuntime("stage")
    assert not encoder.has_passed("test")
    stage.note_passed("test")
    encoder.note_passed("test", stage)
    assert encoder.has_passed("test")
    assert not encoder.has_passed("another test")
    stage.distrust()
    assert not encoder.has_passed("test")
    stage.note_passed("test")
    assert encoder.has_passed("test")
    encoder.distrust()
    assert not encoder.has_passed("test")


def test_the_oldest_passes_are_forgotten():
    runtime = SharedRuntime("encoder")
    for test in range(100):
        runtime.note_passed(test)
    assert runtime.has_passed(99)
    assert not runtime.has_passed(0)
