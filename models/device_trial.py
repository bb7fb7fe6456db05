"""`python -m models.device_trial FOLDER SHA256 DEVICE SECONDS`: one device tried with one bundle.

Prints the `models.device_choice.Trial` as JSON. It is a process of its own, because a provider's
native library may crash or hang, and what it holds is then gone with it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from statistics import median

import msgspec
import numpy as np

from models.bundle import Bundle, load_bundle
from models.device_choice import Trial
from models.device_name import CPU, parse_device
from models.encoder import Encoder
from models.errors import BundleError, ModelError, SelfTestError
from models.golden import check_golden, golden_hops, golden_leads
from models.node_placement import onnx_placement
from models.registry import open_encoder

__all__ = ["step_us", "try_device"]

_BATCH = 10
"""Steps of which the median is taken."""
_KERNELS = ("models.streaming", "models.beat_stage")
"""Importing them compiles all that an encoder and its self-test need, or loads it."""
_NS_PER_US, _NS_PER_MS, _NS_PER_S = 1e3, 1e6, 1e9


def try_device(bundle: Bundle, device: str, for_s: float) -> Trial:
    """Open the device, hold it to the self-test, and time steps for `for_s`; it never raises.

    What is compiled once an installation, by whichever device comes first, is no time of its.
    """
    try:
        for module in _KERNELS:
            import_module(module)
        began_ns = time.perf_counter_ns()
        encoder = open_encoder(bundle, golden_leads(bundle), device)
        opened_ms = (time.perf_counter_ns() - began_ns) / _NS_PER_MS
        deviation = check_golden(bundle, encoder)
        _require_nodes(bundle, device)
        hops = [np.asarray(hop, np.float32) for hop in golden_hops(bundle)]
        quiet_us = step_us(encoder, hops, for_s)
    except SelfTestError as error:
        return Trial(device=device, problem=f"computes wrong numbers: {error}")
    except ModelError as error:
        return Trial(device=device, problem=str(error))
    except Exception as error:  # a runtime may raise anything
        return Trial(device=device, problem=f"{type(error).__name__}: {error}")
    return Trial(device=device, open_ms=opened_ms, step_us=quiet_us, deviation=deviation)


def step_us(encoder: Encoder, hops: Sequence[np.ndarray], for_s: float) -> float:
    """Time of a step in microseconds: the least of the medians of ten steps one after another.

    Another program's burst spoils some medians and not the least; one lucky step moves none.
    hops: arrays (leads, hop_samples), all of which are first heard once for warming up.
    """
    for hop in hops:
        encoder.step(hop)
    spans: list[float] = []
    until_ns = time.perf_counter_ns() + for_s * _NS_PER_S
    while len(spans) < _BATCH or time.perf_counter_ns() < until_ns:
        hop = hops[len(spans) % len(hops)]
        began_ns = time.perf_counter_ns()
        encoder.step(hop)
        spans.append((time.perf_counter_ns() - began_ns) / _NS_PER_US)
    encoder.reset()
    whole = len(spans) - len(spans) % _BATCH
    return min(median(spans[k : k + _BATCH]) for k in range(0, whole, _BATCH))


def _require_nodes(bundle: Bundle, name: str) -> None:
    """BundleError where an execution provider leaves every node to the processor."""
    device = parse_device(name)
    if device is None or device.provider in ("", CPU):
        return
    placed = onnx_placement(bundle, (device.provider,))
    if not placed.nodes.get(device.provider):
        raise BundleError(f"{device.provider} runs no node of the model: all are left to {CPU}")


def main(folder: str, sha256: str, device: str, for_s: str) -> None:
    """What libraries print on standard output goes to standard error."""
    answer = os.dup(1)
    os.dup2(2, 1)
    trial = try_device(load_bundle(Path(folder), sha256), device, float(for_s))
    os.write(answer, msgspec.json.encode(trial))


if __name__ == "__main__":
    main(*sys.argv[1:5])
