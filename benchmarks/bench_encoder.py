"""Cost of an encoder's streaming step, beside the same network re-run on a 10 s window.

    python -m benchmarks.bench_encoder [--bundle NAME|DIR] [--rounds 60] [--json]

For each runtime that is installed and that the bundle has a model for: the network alone on a
hop with its carried state in and out; the same network on the last 10 s from silence, as a
sliding window would run it each hop, no state read or written; and the encoder's whole step,
normalisation and fusion included. One lead, one thread, CPU time of this process. All are
measured in turn within each round, so that a change of the machine's speed meets all alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from models.bundle import Bundle, load_bundle
from models.encoder import Encoder
from models.errors import ModelError
from models.litert_encoder import LiteRTEncoder, open_interpreter
from models.manifest import Manifest
from models.onnx_encoder import OnnxEncoder
from models.onnx_session import open_session

WINDOW_S = 10
BURST = 50
WARM_UP = 50
Tensors = dict[str, NDArray[Any]]
Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One thing that is timed. ratio: its median over that of the window, same runtime."""

    runtime: str
    name: str
    median_us: float
    least_us: float
    window_ratio: float


def synthetic(samples: int, rate_hz: float) -> NDArray[np.float32]:
    """75 bpm with T waves and noise, one lead, microvolts."""
    since = np.arange(samples) / rate_hz % 0.8
    wave = 1000 * np.exp(-(((since - 0.3) / 0.015) ** 2))
    wave += 200 * np.exp(-(((since - 0.55) / 0.05) ** 2))
    return (wave + np.random.default_rng(0).normal(0, 15, samples)).astype(np.float32)


def window_samples(manifest: Manifest) -> int:
    """Samples of the window, whole hops."""
    return manifest.input.hop_samples * round(WINDOW_S / manifest.hop_s)


def feed(manifest: Manifest, samples: int) -> Tensors:
    """What the ONNX graph takes, from silence."""
    signal = synthetic(samples, manifest.input.rate_hz) / np.float32(150)
    tensors: Tensors = {manifest.runtime.input: signal.reshape(1, 1, -1, 1)}
    if manifest.runtime.weights is not None:
        tensors[manifest.runtime.weights] = np.ones((1, 1), np.float32)
    for state in manifest.states:
        tensors[state.name_in] = np.full((1, *state.shape), state.initial, state.dtype)
    return tensors


def as_litert(manifest: Manifest, tensors: Tensors) -> Tensors:
    """The same for LiteRT, whose int8 is ONNX Runtime's uint8 less 128."""
    integers = {state.name_in for state in manifest.states if state.dtype == "uint8"}
    return {
        name: (tensor.astype(np.int16) - 128).astype(np.int8) if name in integers else tensor
        for name, tensor in tensors.items()
    }


def onnx_run(session: Any, fetches: list[str], tensors: Tensors) -> Work:
    """`InferenceSession.run`."""
    return lambda: session.run(fetches, tensors)


def onnx_bound(session: Any, fetches: list[str], tensors: Tensors) -> Work:
    """`run_with_iobinding`, all memory bound once."""
    binding = session.io_binding()
    answers = session.run(fetches, tensors)
    for name, tensor in tensors.items():
        binding.bind_input(name, "cpu", 0, tensor.dtype, tensor.shape, tensor.ctypes.data)
    for name, answer in zip(fetches, answers, strict=True):
        binding.bind_output(name, "cpu", 0, answer.dtype, answer.shape, answer.ctypes.data)
    kept = (binding, tensors, answers)  # bound memory lives as long as the binding
    return lambda: session.run_with_iobinding(kept[0])


def onnx_works(bundle: Bundle) -> dict[str, Work]:
    """The works of ONNX Runtime by name."""
    manifest = bundle.manifest
    session = open_session(bundle.model, str(bundle.path), ("CPUExecutionProvider",))
    heads = [output.name for output in manifest.outputs]
    everything = heads + [state.name_out for state in manifest.states]
    hop = feed(manifest, manifest.input.hop_samples)
    window = feed(manifest, window_samples(manifest))
    return {
        "window": onnx_bound(session, heads, window),
        "window, run()": onnx_run(session, heads, window),
        "hop": onnx_bound(session, everything, hop),
        "hop, run()": onnx_run(session, everything, hop),
        "step": whole_step(OnnxEncoder(bundle, 1)),
    }


def litert_invoke(
    interpreter: Any, written: list[str], fetches: list[str], tensors: Tensors
) -> Work:
    """Set, invoke, get. The inputs that are not `written` each time stay as they are set here."""
    taken = {t["name"]: t["index"] for t in interpreter.get_input_details()}
    given = {t["name"]: t["index"] for t in interpreter.get_output_details()}
    for name, tensor in tensors.items():
        interpreter.set_tensor(taken[name], tensor)
    pairs = [(taken[name], tensors[name]) for name in written]
    wanted = [given[name] for name in fetches]

    def work() -> list[NDArray[Any]]:
        for index, tensor in pairs:
            interpreter.set_tensor(index, tensor)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in wanted]

    return work


def litert_works(bundle: Bundle) -> dict[str, Work]:
    """The works of LiteRT by name."""
    manifest = bundle.manifest
    file = manifest.file("litert").name
    heads = [output.name for output in manifest.outputs]
    everything = heads + [state.name_out for state in manifest.states]
    hop = as_litert(manifest, feed(manifest, manifest.input.hop_samples))
    window = as_litert(manifest, feed(manifest, window_samples(manifest)))
    short = open_interpreter(bundle.files[file], file, hop)
    long = open_interpreter(bundle.files[file], file, hop)
    taken = {t["name"]: t["index"] for t in long.get_input_details()}
    long.resize_tensor_input(taken[manifest.runtime.input], window[manifest.runtime.input].shape)
    long.allocate_tensors()
    return {
        "window": litert_invoke(long, [manifest.runtime.input], heads, window),
        "hop": litert_invoke(short, list(hop), everything, hop),
        "hop, invoke()": short.invoke,
        "step": whole_step(LiteRTEncoder(bundle, 1)),
    }


def whole_step(encoder: Encoder) -> Work:
    """The encoder's step on samples in microvolts."""
    facts = encoder.manifest.input
    hop = synthetic(facts.hop_samples, facts.rate_hz)[None]
    return lambda: encoder.step(hop, (1.0,))


def measure(works: dict[str, dict[str, Work]], rounds: int) -> list[Row]:
    """Microseconds a call: median and least over the rounds."""
    times: dict[tuple[str, str], list[float]] = {}
    calls = {(r, n): work for r, named in works.items() for n, work in named.items()}
    for call in calls.values():
        for _ in range(WARM_UP):
            call()
    for _ in range(rounds):
        for key, call in calls.items():
            begin = time.process_time_ns()
            for _ in range(BURST):
                call()
            times.setdefault(key, []).append((time.process_time_ns() - begin) / BURST / 1000)
    medians = {key: statistics.median(values) for key, values in times.items()}
    return [
        Row(r, n, median, min(times[r, n]), medians[r, "window"] / median)
        for (r, n), median in medians.items()
    ]


def available(bundle: Bundle) -> dict[str, dict[str, Work]]:
    """The works of each runtime that can run the bundle; why another cannot goes to stderr."""
    works = {}
    for runtime, make in (("onnxruntime", onnx_works), ("ai-edge-litert", litert_works)):
        try:
            works[runtime] = make(bundle)
        except ModelError as error:
            print(f"without {runtime}: {error}", file=sys.stderr)
    return works


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", default="tcn-s", help="name or folder")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    bundle = load_bundle(options.bundle)
    rows = measure(available(bundle), options.rounds)
    report = {"bundle": bundle.manifest.name, "version": bundle.manifest.version, **machine()}
    if options.json:
        json.dump({**report, "rows": [row.__dict__ for row in rows]}, sys.stdout, indent=2)
        print()
        return 0
    print(f"{report['bundle']} {report['version']}, one lead; {report['cpu']}")
    print(f"{'runtime':16}{'work':16}{'median us':>10}{'least us':>10}{'window / it':>13}")
    for row in rows:
        print(
            f"{row.runtime:16}{row.name:16}{row.median_us:>10.1f}{row.least_us:>10.1f}"
            f"{row.window_ratio:>12.1f}x"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
