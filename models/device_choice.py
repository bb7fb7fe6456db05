"""Which device is best for a bundle, from what was measured: pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from models.device_name import CPU, LITERT, parse_device

__all__ = ["MARGIN", "OPENING_MOST_MS", "Trial", "ranked", "refusal"]

MARGIN = 0.8
"""A step must take no more than this share of a simpler device's to be preferred to it."""
OPENING_MOST_MS = 10_000.0
"""No start is to wait longer for a device that nobody asked for by name."""

Positive = Annotated[float, Meta(gt=0.0)]


class Trial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One device, tried with one bundle.

    problem: why it cannot be used, in words; empty where it can. open_ms: loading and self-test.
    step_us: one hop. deviation: the largest in the self-test, as `models.golden.check_golden`.
    """

    device: Annotated[str, Meta(min_length=1, max_length=4096)]
    problem: str = ""
    open_ms: Positive | None = None
    step_us: Positive | None = None
    deviation: Annotated[float, Meta(ge=0.0)] | None = None


def refusal(trial: Trial) -> str:
    """Why `auto` does not take a device; empty where it may."""
    if trial.problem or trial.step_us is None or trial.open_ms is None:
        return trial.problem or "was not measured"
    if trial.open_ms > OPENING_MOST_MS:
        return (
            f"takes {trial.open_ms / 1000:.0f} s to open, too long for a start;"
            " name it as encoder.device if that may be"
        )
    return ""


def ranked(trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """Those that may be taken, the best first.

    The best is the simplest that no other undercuts by the margin: its step takes at most
    1 / MARGIN of the quickest's. ONNX Runtime on the processor is the simplest, then LiteRT
    there, then providers and delegates as they were tried; fewer threads are simpler than more.
    """
    left = sorted((each for each in trials if not refusal(each)), key=_complexity)
    order = []
    while left:
        quickest_us = min(map(_us, left))
        best = next(each for each in left if MARGIN * _us(each) <= quickest_us)
        order.append(best)
        left.remove(best)
    return tuple(order)


def _us(trial: Trial) -> float:
    assert trial.step_us is not None
    return trial.step_us


def _complexity(trial: Trial) -> tuple[int, int]:
    device = parse_device(trial.device)
    if device is None:
        return (1, 2)
    if device.provider == CPU:
        return (device.threads, 0)
    return (device.threads, 1 if str(device).partition(":")[0] == LITERT else 2)
