"""Faults on demand: what a bad link does to frames, deterministic by seed and counted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from firmware_bridge.pacing import TimedBytes
from firmware_bridge.stream import NS_PER_S

__all__ = ["FaultCount", "Faults", "FaultyLink"]

_FAULTS_KEY = 21


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, and how often.

    drop, duplicate, reorder, corrupt: probability a frame, 0 to 1. stall_every_s: how long
    the link works before it falls silent for stall_s, 0 to 600, and then delivers what it held
    back; 0 is never. reboot_every_s: how long the device runs before it restarts, dark for
    reboot_s, 0 to 600; 0 is never.
    drift_ppm: how much faster the device's crystal runs, -1000 to 1000 parts per million.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    stall_every_s: float = 0.0
    stall_s: float = 2.0
    reboot_every_s: float = 0.0
    reboot_s: float = 1.0
    drift_ppm: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high = _range_of(field.name)
            value = getattr(self, field.name)
            if not low <= value <= high:
                raise ValueError(f"{field.name}={value} is not {low:g} to {high:g}")


def _range_of(name: str) -> tuple[float, float]:
    if name in ("drop", "duplicate", "reorder", "corrupt"):
        return 0.0, 1.0
    if name == "drift_ppm":
        return -1000.0, 1000.0
    if name in ("stall_s", "reboot_s"):
        return 0.0, 600.0
    return 0.0, 1e9


@dataclass(frozen=True, slots=True)
class FaultCount:
    """What the link did so far, in frames.

    sent = dropped + corrupted + held + (intact - duplicated), where `intact` counts what was
    delivered unharmed, copies included, and `held` (0 or 1) waits to be overtaken. Reordered
    and stalled frames arrive intact, too.
    """

    sent: int = 0
    dropped: int = 0
    corrupted: int = 0
    duplicated: int = 0
    reordered: int = 0
    stalled: int = 0
    intact: int = 0
    held: int = 0


class FaultyLink:
    """Carries frames that begin and end with a delimiter, and does to them what `faults` asks."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self._faults = faults
        self._rng = np.random.default_rng([seed, _FAULTS_KEY])
        self._held: TimedBytes | None = None
        self._count = FaultCount()

    @property
    def count(self) -> FaultCount:
        """The truth of what was done."""
        return self._count

    def carry(self, frames: Iterable[TimedBytes]) -> Iterator[TimedBytes]:
        """What arrives of `frames`, with due times that never go back."""
        for frame in frames:
            self._add(sent=1)
            yield from self._carry_one(self._delayed(frame))
        yield from self._release(None)

    def _carry_one(self, frame: TimedBytes) -> Iterator[TimedBytes]:
        drop, corrupt, duplicate, reorder = self._rng.random(4)
        if drop < self._faults.drop:
            self._add(dropped=1)
        elif corrupt < self._faults.corrupt:
            self._add(corrupted=1)
            yield replace(frame, data=damage(frame.data, self._rng))
            yield from self._release(frame)
        elif reorder < self._faults.reorder and self._held is None:
            self._held = frame
            self._add(reordered=1, held=1)
        else:
            copies = 2 if duplicate < self._faults.duplicate else 1
            self._add(intact=copies, duplicated=copies - 1)
            yield from (frame,) * copies
            yield from self._release(frame)

    def _release(self, overtaker: TimedBytes | None) -> Iterator[TimedBytes]:
        if self._held is None:
            return
        held, self._held = self._held, None
        self._add(intact=1, held=-1)
        yield replace(held, due_ns=overtaker.due_ns) if overtaker else held

    def _delayed(self, frame: TimedBytes) -> TimedBytes:
        if not self._faults.stall_every_s:
            return frame
        due_s = frame.due_ns / NS_PER_S
        period_s = self._faults.stall_every_s + self._faults.stall_s
        round_s = math.floor(due_s / period_s) * period_s
        if due_s - round_s < self._faults.stall_every_s:
            return frame
        self._add(stalled=1)
        return replace(frame, due_ns=round((round_s + period_s) * NS_PER_S))

    def _add(self, **more: int) -> None:
        old = {name: getattr(self._count, name) for name in more}
        self._count = replace(self._count, **{name: old[name] + more[name] for name in more})


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """The frame with a bit flipped, a byte deleted, a byte inserted, or its end cut off.

    Always between its delimiters: harm to a delimiter alone would leave the frame readable.
    """
    position = int(rng.integers(2, len(data) - 2))
    bit, byte = int(rng.integers(8)), int(rng.integers(256))
    harmed = bytearray(data)
    match int(rng.integers(4)):
        case 0:
            harmed[position] ^= 1 << bit
        case 1:
            del harmed[position]
        case 2:
            harmed.insert(position, byte)
        case _:
            del harmed[position:]
    return bytes(harmed)
