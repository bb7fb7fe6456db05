"""The stages of the signal path in one call: a packet is too short to pay for a call a stage."""

from __future__ import annotations

import numba

from edge.kernels import kernel
from edge.kernels.filters import condition
from edge.kernels.qrs import detect
from edge.kernels.qrs_state import CONFIG_TYPE
from edge.kernels.qrs_state import STATE_TYPE as QRS_TYPE
from edge.kernels.quality import gather
from edge.kernels.quality_state import STATE_TYPE as QUALITY_TYPE
from edge.kernels.store import store

_f8 = numba.float64
_i8 = numba.int64
_SAMPLES = numba.float32[:, ::1]
_RING = (_SAMPLES, numba.uint8[::1])
_CONDITIONER = (_f8[:, :, ::1], _f8[::1])
_QUALITY = (QUALITY_TYPE[::1],)
_DETECTOR = (CONFIG_TYPE[::1], QRS_TYPE[::1], _f8[:, :, ::1], _i8[::1], _f8[:, ::1])


@kernel(_i8(_SAMPLES, _i8, _i8, _i8, _i8, _SAMPLES, *_CONDITIONER, *_QUALITY, *_DETECTOR, *_RING))
def through(  # type: ignore[no-untyped-def]
    samples,
    count,
    off_bits,
    index,
    slot,
    conditioned,
    cascades,
    held,
    quality_states,
    qrs_config,
    qrs_states,
    histories,
    last_r,
    beats,
    kept,
    kept_valid,
):
    """Take the first `count` of `samples`: keep them at `index` of the ring, condition them into
    `conditioned`, add both to the sums of the second in `slot`, and detect beats; gives the number
    of beats. A ring or a detector without memory does nothing."""
    raw = samples[:count]
    out = conditioned[:count]
    store(raw, 1, index, kept, kept_valid)
    condition(raw, cascades, held, out)
    gather(raw, out, off_bits, quality_states, slot)
    return detect(out, qrs_config, qrs_states, histories, last_r, beats)
