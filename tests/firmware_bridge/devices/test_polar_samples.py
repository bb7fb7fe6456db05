"""Samples of PMD frames: compression by an encoder of its own, frames of real sensors, damage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.devices.polar_pmd import ACC, PPG
from firmware_bridge.devices.polar_samples import WaveformStream, delta_samples
from tests.firmware_bridge.devices.pmd_encoder import delta_content

VERITY_ACC = bytes.fromhex(
    "87f2b4fa92f8081b0a05ffea18ffe9fff829e90328fd02130a03dffd19e1e5e5e600071c020e0e10f4fceb0efe"
    "25e7faf3f4f5050a011216f414f21eccf7060d000609fe0cf800e9eef8f0ff01071b16fdf105fc1afb12ef06"
)
"""First sample and first block of a frame of a real Verity Sense, reported to polar-ble-sdk."""
SDK_PPG = bytes.fromhex("2c2d00c27700d3d2ff3d88ff0a02b2f0ee3411b2ecee7411")
"""First sample and two more of a frame in the tests of polar-ble-sdk (PpgDataTest)."""
SDK_ACC = bytes.fromhex("f1ff1400f00306017b0f08")
"""The frame of polar-ble-sdk's AccDataTest."""


@st.composite
def compressed(draw: st.DrawFn) -> tuple[list[list[int]], int, list[tuple[int, int]]]:
    """Rows, bytes of a whole value, blocks."""
    channels, value_bytes = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    top = 1 << 8 * value_bytes - 1
    row = draw(st.lists(st.integers(-top, top - 1), min_size=channels, max_size=channels))
    rows, blocks = [row], []
    for _ in range(draw(st.integers(0, 4))):
        width, count = draw(st.integers(1, 32)), draw(st.integers(0, 12))
        step = st.integers(-(1 << width - 1), (1 << width - 1) - 1)
        for _ in range(count):
            steps = draw(st.lists(step, min_size=channels, max_size=channels))
            rows.append([old + new for old, new in zip(rows[-1], steps, strict=True)])
        blocks.append((width, count))
    return rows, value_bytes, blocks


@given(compressed())
def test_blocks_of_any_width_decode_to_what_was_encoded(
    case: tuple[list[list[int]], int, list[tuple[int, int]]],
) -> None:
    rows, value_bytes, blocks = case
    samples = delta_samples(delta_content(rows, value_bytes, blocks), len(rows[0]), value_bytes)
    assert samples is not None
    assert samples.tolist() == rows


@given(compressed(), st.data())
def test_a_frame_that_is_cut_is_damaged_or_ends_with_a_whole_block(
    case: tuple[list[list[int]], int, list[tuple[int, int]]], data: st.DataObject
) -> None:
    rows, value_bytes, blocks = case
    content = delta_content(rows, value_bytes, blocks)
    size = data.draw(st.integers(0, len(content) - 1))
    samples = delta_samples(content[:size], len(rows[0]), value_bytes)
    ends = {1 + sum(count for _, count in blocks[:n]) for n in range(len(blocks) + 1)}
    assert samples is None or (len(samples) in ends and samples.tolist() == rows[: len(samples)])


@given(st.binary(max_size=300), st.integers(1, 5), st.integers(1, 4))
def test_any_content_decodes_within_bounds_or_is_damaged(
    content: bytes, channels: int, value_bytes: int
) -> None:
    samples = delta_samples(content, channels, value_bytes)
    assert samples is None or samples.shape[1] == channels
    assert samples is None or samples.size <= 8 * len(content)


@pytest.mark.parametrize("block", ["00 01", "21 01 00 00 00 00 00", "08", "08 02 01"])
def test_blocks_without_width_too_wide_or_cut_are_damaged(block: str) -> None:
    assert delta_samples(bytes(2) + bytes.fromhex(block), 1, 2) is None


def test_movement_of_a_real_armband_moves_by_its_differences() -> None:
    samples = delta_samples(VERITY_ACC, 3, 2)
    assert samples is not None
    steps = np.frombuffer(VERITY_ACC[8:], np.int8).reshape(27, 3)
    assert samples[0].tolist() == [-3449, -1356, -1902]
    assert np.diff(samples, axis=0).tolist() == steps.tolist()
    stream = WaveformStream(ACC, 52)
    told = stream.read(10**18, 0x80, VERITY_ACC)
    assert told is not None
    length_mg = np.linalg.norm(told.samples, axis=1)
    assert 900 < length_mg.min() <= length_mg.max() < 1100, "at rest it feels one g"


def test_light_of_the_sdk_has_its_values() -> None:
    told = WaveformStream(PPG, 55).read(2_000_000_000, 0x80, SDK_PPG)
    assert told is not None
    assert (told.kind, told.unit) == ("ppg", "count")
    assert told.channels == ("PPG0", "PPG1", "PPG2", "ambient")
    first = [11564, 30658, -11565, -30659]
    assert told.samples[:2].tolist() == [first, [11742, 30590, -11743, -30591]]
    assert told.samples.shape == (3, 4)
    assert told.device_time_ns == 2_000_000_000 - round(2e9 / 55)


def test_light_without_compression_is_signed_24_bit() -> None:
    content = "010203 040506 ffff7f 000000 ffffff 0fefef 000080 0fefef"
    told = WaveformStream(PPG, 135).read(0, 0, bytes.fromhex(content))
    assert told is not None
    assert told.samples.tolist() == [
        [197121, 394500, 8388607, 0],
        [-1, -1052913, -8388608, -1052913],
    ]


def test_movement_of_the_sdk_has_its_values() -> None:
    told = WaveformStream(ACC, 52).read(101, 0x81, SDK_ACC)
    assert told is not None
    assert told.samples.tolist() == [[-15, 20, 1008], [-20, 17, 1008]]


@pytest.mark.parametrize(
    ("frame_type", "content", "mg"),
    [
        (0, "f7 ff 64", [-9, -1, 100]),
        (1, "f7ff ffff e703", [-9, -1, 999]),
        (2, "f7ffff ffffff e70300", [-9, -1, 999]),
    ],
)
def test_movement_without_compression(frame_type: int, content: str, mg: list[int]) -> None:
    told = WaveformStream(ACC, 52).read(0, frame_type, bytes.fromhex(content))
    assert told is not None
    assert told.samples.tolist() == [mg]


def test_the_factor_that_the_sensor_told_scales_compressed_movement() -> None:
    stream = WaveformStream(ACC, 52)
    stream.factor = 0.5
    in_g, in_mg = stream.read(0, 0x80, SDK_ACC), stream.read(0, 0x81, SDK_ACC)
    assert in_g is not None
    assert in_mg is not None
    assert in_g.samples[0].tolist() == [-7500, 10_000, 504_000]
    assert in_mg.samples[0].tolist() == [-7.5, 10, 504]


@pytest.mark.parametrize("frame_type", [3, 0x82, 0x7F, 0xFF])
def test_frames_of_unknown_types_give_nothing(frame_type: int) -> None:
    assert WaveformStream(ACC, 52).read(0, frame_type, bytes(12)) is None
    assert WaveformStream(PPG, 55).read(0, frame_type, bytes(24)) is None
