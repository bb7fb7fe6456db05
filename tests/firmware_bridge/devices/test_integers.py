"""Packed integers of device frames."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.devices.integers import int24_be, int24_le

VALUES = st.lists(st.integers(-(1 << 23), (1 << 23) - 1), max_size=40)


@given(VALUES)
def test_every_24_bit_value_survives_in_either_order(values: list[int]) -> None:
    little = int24_le(b"".join(value.to_bytes(3, "little", signed=True) for value in values))
    big = int24_be(b"".join(value.to_bytes(3, "big", signed=True) for value in values))
    assert little.dtype == big.dtype == np.float32
    assert little.tolist() == big.tolist() == values
