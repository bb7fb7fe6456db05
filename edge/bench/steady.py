"""When a run in real time has settled: what comes before is left out of its figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.bench.paced_stream import Handled
from firmware_bridge.stream import NS_PER_S

__all__ = ["ARRIVED", "DONE", "LATE", "TAKEN", "all_times_ns", "steady_from_ns"]

LATE, ARRIVED, TAKEN, DONE = range(4)
"""Rows of the times of packets."""

MARGIN_NS = NS_PER_S // 2


def all_times_ns(handled: Sequence[Handled]) -> NDArray[np.int64]:
    """The packets of all streams, (4, packets), in the order in which the engine was done."""
    every = np.concatenate([each.times_ns for each in handled], axis=1)
    return every[:, np.argsort(every[DONE], kind="stable")]


def steady_from_ns(handled: Sequence[Handled], deadline_ns: int) -> int:
    """Half a second after every stream has its networks and the packets that had to wait for that
    are worked off; half-way where that comes later or never. Packets that arrive from then on
    count. 0 where none was handled.
    """
    every = all_times_ns(handled)
    if not every.size:
        return 0
    half_ns = (int(every[ARRIVED].min()) + int(every[ARRIVED].max())) // 2
    loaded_ns = max(int(each.times_ns[DONE, 0]) for each in handled if each.done)
    prompt = every[ARRIVED][every[TAKEN] - every[ARRIVED] < deadline_ns]
    prompt = prompt[prompt >= loaded_ns]
    return min(half_ns, int(prompt.min()) + MARGIN_NS) if prompt.size else half_ns
