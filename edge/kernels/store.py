"""Writing into a mirrored ring."""

from __future__ import annotations

import numba

from edge.kernels import kernel


@kernel(
    numba.void(
        numba.float32[:, ::1],
        numba.uint8,
        numba.int64,
        numba.float32[:, ::1],
        numba.uint8[::1],
    )
)
def store(samples, valid, index, held, held_valid):  # type: ignore[no-untyped-def]
    """Put `samples` (n, leads) of stream index `index` into both halves of `held`."""
    capacity = held.shape[0] // 2
    slot = index % capacity
    for i in range(samples.shape[0]):
        for lead in range(samples.shape[1]):
            held[slot, lead] = samples[i, lead]
            held[slot + capacity, lead] = samples[i, lead]
        held_valid[slot] = valid
        held_valid[slot + capacity] = valid
        slot += 1
        if slot == capacity:
            slot = 0
