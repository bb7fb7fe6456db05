"""Writing into a mirrored ring."""

from __future__ import annotations

import numba

from edge.kernels import kernel


@kernel(
    numba.void(
        numba.float32[:, ::1],
        numba.int64,
        numba.int64,
        numba.float32[:, ::1],
        numba.uint8[::1],
    )
)
def store(samples, valid, index, held, held_valid):  # type: ignore[no-untyped-def]
    """Put `samples` (n, leads) of stream index `index` into both halves of `held`: the newest, as
    many as one half takes."""
    capacity = held.shape[0] // 2
    if capacity == 0:
        return
    first = max(0, samples.shape[0] - capacity)
    slot = (index + first) % capacity
    for i in range(first, samples.shape[0]):
        for lead in range(samples.shape[1]):
            held[slot, lead] = samples[i, lead]
            held[slot + capacity, lead] = samples[i, lead]
        held_valid[slot] = valid
        held_valid[slot + capacity] = valid
        slot += 1
        if slot == capacity:
            slot = 0
