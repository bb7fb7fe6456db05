"""Devices tried: wrong numbers, failures, crashes and hangs are told, and times are quiet ones."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edge.cli.warmup import load_kernels
from models import device_measuring, device_trial
from models.bundle import Bundle, load_bundle
from models.device_choice import Trial, ranked
from models.device_measuring import measure, tried_apart
from models.device_trial import step_us, try_device
from models.devices import devices
from models.encoder import Encoder
from models.errors import BundleError, ModelError
from models.registry import open_encoder
from tests.models.rebundle import NAME
from tests.patience import PROGRAM_S

BUNDLE = load_bundle(NAME)


class Clock:
    """Time that passes only where steps take it."""

    now_ns = 0

    def perf_counter_ns(self) -> int:
        return self.now_ns


class Metronome:
    """An encoder whose steps take so many microseconds, one after another, for ever the last."""

    def __init__(self, clock: Clock, steps_us: Iterator[float]) -> None:
        self.clock, self.steps_us, self.heard = clock, steps_us, list[float]()

    def step(self, hop: np.ndarray) -> None:
        self.heard.append(float(hop[0, 0]))
        self.clock.now_ns += round(next(self.steps_us) * 1000)

    def reset(self) -> None:
        self.heard.append(-1.0)


@pytest.fixture(name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(device_trial, "time", clock)
    return clock


HOPS = [np.full((1, 4), k, np.float32) for k in range(3)]


def test_warming_up_and_bursts_of_others_do_not_count(clock: Clock) -> None:
    def steps() -> Iterator[float]:
        yield from [90_000.0] * 3  # the first ones compile
        while True:
            yield from [70.0] * 12
            yield 1.0  # one lucky step
            yield from [900.0] * 40  # another program

    encoder = Metronome(clock, steps())
    assert step_us(encoder, HOPS, for_s=1.0) == 70.0  # type: ignore[arg-type]
    assert clock.now_ns < 1.4e9
    assert encoder.heard[:5] == [0, 1, 2, 0, 1]
    assert encoder.heard[-1] == -1


def test_a_step_longer_than_the_time_for_it_is_still_measured(clock: Clock) -> None:
    encoder = Metronome(clock, iter([5e6] * 13))
    assert step_us(encoder, HOPS, for_s=0.1) == 5e6  # type: ignore[arg-type]


def test_each_device_of_the_shipped_bundle_is_right_and_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load_kernels()  # into the cache, so that the processes of the trials compile nothing
    monkeypatch.setattr(device_measuring, "TRIAL_MOST_S", PROGRAM_S)
    trials = [tried_apart(BUNDLE, name, 0.05) for name in devices(BUNDLE)]
    assert {each.problem for each in trials} == {""}
    assert all(each.step_us and each.open_ms and each.deviation is not None for each in trials)


def test_what_is_compiled_once_an_installation_is_no_time_of_a_device(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiles(_: str) -> None:
        clock.now_ns += 20 * 10**9

    def opens(*arguments: Any) -> Encoder:
        clock.now_ns += 7 * 10**6
        return open_encoder(*arguments)

    monkeypatch.setattr(device_trial, "import_module", compiles)
    monkeypatch.setattr(device_trial, "open_encoder", opens)
    assert try_device(BUNDLE, "cpu", 0.0).open_ms == 7.0


def test_wrong_numbers_are_told(tmp_path: Path) -> None:
    """A second provider that is real, quick, and computes something else."""
    pytest.importorskip("onnx")
    pytest.importorskip("ai_edge_litert")
    from models.training.litert_graph import LiteRTGraph
    from tests.models.toy_network import HEADS, RANGES, toy_bundle, write

    graph = LiteRTGraph(RANGES, 128)
    write(graph, seed=9)
    bundle = toy_bundle(tmp_path / "toy", graph.build([*HEADS]))
    tried = measure(bundle, for_s=0.01, tried=try_device)
    assert [each.device for each in ranked(tried)] == ["cpu"]
    told = {each.device: each.problem for each in tried}
    assert told["litert"].startswith("computes wrong numbers: bundle 'toy' fails its self-test")
    apart = tried_apart(bundle, "litert", 0.01)
    assert apart.problem == told["litert"]
    assert apart.step_us is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BundleError("no kernel for it"), "no kernel for it"),
        (ModelError("it failed in a step"), "it failed in a step"),
        (MemoryError("of the device"), "MemoryError: of the device"),
    ],
)
def test_a_device_that_raises_is_told(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(device_trial, "open_encoder", fail)
    assert try_device(BUNDLE, "cpu", 0.01) == Trial(device="cpu", problem=said)


def test_a_provider_that_leaves_all_to_the_processor_is_none() -> None:
    """ONNX Runtime opens such a session without a word."""
    onnxruntime = pytest.importorskip("onnxruntime")
    remote = "AzureExecutionProvider"
    if remote not in onnxruntime.get_available_providers():
        pytest.skip("this build of ONNX Runtime has no provider that runs no node")
    trial = try_device(BUNDLE, remote, 0.01)
    assert f"{remote} runs no node of the model" in trial.problem


@pytest.fixture(name="program")
def _program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets a shell script stand for the process of a trial."""

    def become(script: str) -> None:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    return become


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("kill -SEGV $$", "died of Segmentation fault"),
        pytest.param(
            "kill -40 $$",
            "died of",
            marks=pytest.mark.skipif(
                not hasattr(signal, "SIGRTMIN"), reason="no real-time signals"
            ),
        ),
        ("echo one >&2; echo no such GPU >&2; exit 3", "failed: no such GPU"),
        ("exit 3", "failed: exit code 3"),
        ("echo '{}'", "failed: exit code 0"),
        ('echo \'{"device": "cuda", "step_us": -1}\'', "failed"),
        ('echo \'{"device": "cpu", "open_ms": 1, "step_us": 1, "deviation": 0}\'', "failed"),
        ("printf '[%.0s' $(seq 5000)", "failed"),
    ],
)
def test_a_process_that_ends_badly_costs_only_its_device(
    script: str, said: str, program: Callable[[str], None]
) -> None:
    program(script)
    trial = tried_apart(BUNDLE, "cuda", 0.1)
    assert said in trial.problem
    assert (trial.device, trial.step_us) == ("cuda", None)


def test_a_process_that_a_driver_leaves_behind_is_not_waited_for(
    program: Callable[[str], None], tmp_path: Path
) -> None:
    left = tmp_path / "pid"
    program(
        f"sleep 600 & echo $! >{left}; echo '{msgspec.json.encode(timed('cuda', 3.0)).decode()}'"
    )
    try:
        assert tried_apart(BUNDLE, "cuda", 0.1) == timed("cuda", 3.0)
    finally:
        os.kill(int(left.read_text()), signal.SIGKILL)


def test_a_problem_is_told_in_bounds(program: Callable[[str], None]) -> None:
    program("""head -c 70000 /dev/zero | tr '\\0' p >&2; exit 1""")
    assert len(tried_apart(BUNDLE, "cuda", 0.1).problem) == device_measuring.PROBLEM_MOST
    long = Trial(device="cuda", problem="p" * 70_000)
    program(f"""printf '%s' '{msgspec.json.encode(long).decode()}'""")
    assert tried_apart(BUNDLE, "cuda", 0.1).problem == "p" * device_measuring.PROBLEM_MOST


def test_a_device_that_hangs_is_given_up(
    program: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_measuring, "TRIAL_MOST_S", 0.2)
    program("exec sleep 600")
    assert "was not ready within 0.2 s" in tried_apart(BUNDLE, "cuda", 0.1).problem


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert "no process" in tried_apart(BUNDLE, "cuda", 0.1).problem


@pytest.mark.parametrize(
    ("step_us", "cores", "more"),
    [(20.0, 4, []), (99_000.0, 4, []), (150_000.0, 4, ["2", "4"]), (150_000.0, 2, ["2"])],
)
@pytest.mark.parametrize("best", ["cpu", "litert"])
def test_more_threads_are_tried_where_a_step_is_long(
    best: str, step_us: float, cores: int, more: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """tcn-s has a hop of 1 s: up to a tenth of it, one thread keeps up with ten streams."""
    monkeypatch.setattr(device_measuring, "_cores", lambda: cores)
    monkeypatch.setattr(device_measuring, "devices", lambda _: ("litert", "CPUExecutionProvider"))

    def tried(_: Bundle, device: str, __: float) -> Trial:
        slower = 1.0 if device.startswith(best) else 2.0
        return Trial(device=device, step_us=slower * step_us, open_ms=1.0, deviation=0.0)

    told: list[str] = []
    trials = measure(BUNDLE, 0.1, told.append, tried)
    names = ["cpu", "litert", *(f"{best}:{threads}" for threads in more)]
    assert told == names * 2  # two rounds
    assert [each.device for each in trials] == names


def in_rounds(*rounds: dict[str, Trial]) -> Callable[[Bundle, str, float], Trial]:
    """Trials as told: the first of a device from the first round, and so on."""
    left = [dict(each) for each in rounds]
    return lambda _, device, __: next(each.pop(device) for each in left if device in each)


def timed(device: str, step_us: float) -> Trial:
    return Trial(device=device, step_us=step_us, open_ms=1.0, deviation=0.0)


def test_of_two_rounds_the_quieter_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_measuring, "devices", lambda _: ("litert", "CPUExecutionProvider"))
    held_up = {"cpu": timed("cpu", 60.0), "litert": timed("litert", 90.0)}
    quiet = {"cpu": timed("cpu", 62.0), "litert": timed("litert", 20.0)}
    trials = measure(BUNDLE, tried=in_rounds(held_up, quiet))
    assert [(each.device, each.step_us) for each in trials] == [("cpu", 60.0), ("litert", 20.0)]


def test_a_device_that_fails_the_second_time_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_measuring, "devices", lambda _: ("litert", "CPUExecutionProvider"))
    well = {"cpu": timed("cpu", 60.0), "litert": timed("litert", 20.0)}
    ill = {"cpu": timed("cpu", 60.0), "litert": Trial(device="litert", problem="it crashed")}
    trials = measure(BUNDLE, tried=in_rounds(well, ill))
    assert [each.device for each in ranked(trials)] == ["cpu"]


def test_without_a_choice_there_is_no_second_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_measuring, "devices", lambda _: ("litert", "CPUExecutionProvider"))
    once = {"cpu": timed("cpu", 60.0), "litert": Trial(device="litert", problem="it crashed")}
    assert measure(BUNDLE, tried=in_rounds(once)) == tuple(once.values())
