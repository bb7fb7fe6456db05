"""The Polar H10 decoder: real frames, frames made by the specification, and nonsense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.polar_h10 import (
    BATTERY_LEVEL,
    HEART_RATE,
    PMD_CONTROL,
    PMD_DATA,
    PolarH10Decoder,
)
from firmware_bridge.protocols import Decoder, GattDevice
from firmware_bridge.stream import Frame, Packet

GOLDEN = Path(__file__).resolve().parents[2] / "../shared/vectors/golden.json"
STEP_NS = 1e9 / 130


def notification(
    samples_uv: list[int], last_ns: int = 599_616_000_000_000_000, kind: int = 0, frame: int = 0
) -> bytes:
    header = bytes([kind]) + last_ns.to_bytes(8, "little") + bytes([frame])
    return header + b"".join(value.to_bytes(3, "little", signed=True) for value in samples_uv)


def push(decoder: PolarH10Decoder, data: bytes, channel: str = PMD_DATA) -> list[Frame]:
    return decoder.push(Packet(data, 0, channel))


@pytest.fixture(scope="module")
def golden() -> list[dict[str, Any]]:
    if not GOLDEN.is_file():
        pytest.skip(f"no real captures: {GOLDEN.name} is not in the folder shared/vectors")
    vectors: list[dict[str, Any]] = json.loads(GOLDEN.read_text())
    return [vector for vector in vectors if vector["id"].startswith("h10_ecg")]


def test_real_frames_decode_to_their_known_microvolts(golden: list[dict[str, Any]]) -> None:
    decoder = PolarH10Decoder()
    stamps = [vector["expect"]["ts_ns"] for vector in golden]
    frames = [frame for v in golden for frame in push(decoder, bytes.fromhex(v["hex"]))]
    assert len(frames) == len(golden) == 3
    for vector, frame in zip(golden, frames, strict=True):
        assert frame.samples_uv[:, 0].tolist() == vector["expect"]["uv"]
    measured_ns = (stamps[2] - stamps[1]) / 73
    assert frames[2].device_time_ns == pytest.approx(stamps[1] + round(measured_ns), rel=0, abs=1)
    assert decoder.count.bytes == 3 * 229


@given(st.lists(st.integers(-(1 << 23), (1 << 23) - 1), min_size=1, max_size=80))
def test_every_24_bit_value_survives(samples_uv: list[int]) -> None:
    (frame,) = push(PolarH10Decoder(), notification(samples_uv))
    assert frame.samples_uv.dtype == np.float32
    assert frame.samples_uv.shape == (len(samples_uv), 1)
    assert frame.samples_uv[:, 0].tolist() == samples_uv


def test_first_frame_is_stamped_back_by_the_nominal_step() -> None:
    (frame,) = push(PolarH10Decoder(), notification([0] * 73, last_ns=10**18))
    assert frame.device_time_ns == 10**18 - round(72 * STEP_NS)
    assert frame.format.rate_hz == 130.0
    assert frame.counter is None


def test_step_is_measured_from_stamp_to_stamp() -> None:
    decoder = PolarH10Decoder()
    true_step_ns = STEP_NS * 1.013
    push(decoder, notification([0] * 73, last_ns=10**18))
    last_ns = 10**18 + round(73 * true_step_ns)
    (frame,) = push(decoder, notification([0] * 73, last_ns))
    assert frame.device_time_ns == pytest.approx(10**18 + true_step_ns, abs=2)


def test_step_is_not_measured_across_a_loss() -> None:
    decoder = PolarH10Decoder()
    push(decoder, notification([0] * 73, last_ns=10**18))
    last_ns = 10**18 + round(2 * 73 * STEP_NS)
    (frame,) = push(decoder, notification([0] * 73, last_ns))
    assert frame.device_time_ns == pytest.approx(last_ns - 72 * STEP_NS, abs=2)


def test_repeated_and_backward_stamps_are_passed_on() -> None:
    decoder = PolarH10Decoder()
    stamps = (10**18, 10**18, 10**17, 0, (1 << 64) - 1)
    times = [push(decoder, notification([1] * 73, ns))[0].device_time_ns for ns in stamps]
    assert times == [ns - round(72 * STEP_NS) for ns in stamps]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 10,
        notification([1, 2]) + b"\x00",
        notification([1, 2])[:-1],
        notification([1, 2], frame=0x80),
        notification([1, 2], frame=1),
    ],
    ids=["empty", "no samples", "odd end", "cut", "compressed", "type 1"],
)
def test_damaged_and_unknown_frames_are_counted_bad(data: bytes) -> None:
    decoder = PolarH10Decoder()
    assert push(decoder, data) == []
    assert decoder.count.bad_frames == 1
    assert decoder.count.skipped_bytes == decoder.count.bytes == len(data)


def test_other_measurements_are_skipped_not_bad() -> None:
    decoder = PolarH10Decoder()
    assert push(decoder, notification([1, 2], kind=2)) == []
    assert decoder.count.bad_frames == 0
    assert decoder.count.skipped_bytes == 16


@pytest.mark.parametrize(
    ("flags", "lead_off"), [(0x10, 0), (0x16, 0), (0x14, 1), (0x12, 0), (0x04, 1)]
)
def test_contact_counts_only_where_it_is_sensed(flags: int, lead_off: int) -> None:
    decoder = PolarH10Decoder()
    push(decoder, bytes([flags, 72]), HEART_RATE)
    assert push(decoder, notification([1]))[0].lead_off == lead_off


def test_battery_goes_with_the_frames() -> None:
    decoder = PolarH10Decoder()
    assert push(decoder, notification([1]))[0].battery_percent is None
    push(decoder, b"\x57", BATTERY_LEVEL)
    push(decoder, b"\xff", BATTERY_LEVEL)
    assert push(decoder, notification([1]))[0].battery_percent == 87
    assert decoder.count.bad_frames == 1


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("f0 02 00 0a", "MTU is too small"),
        ("f0 02 00 05 00", "a setting"),
        ("f0 02 00 63 00", "status 99"),
        ("01 00", "stopped the measurement"),
        ("0f 04 00", "offers no ECG"),
    ],
)
def test_refusals_are_told_in_words(reply: str, words: str) -> None:
    decoder = PolarH10Decoder()
    push(decoder, bytes.fromhex(reply), PMD_CONTROL)
    assert decoder.refusals == 1
    assert words in decoder.last_refusal


@pytest.mark.parametrize(
    "reply",
    [
        "f0 02 00 00 00 00",
        "f0 02 00 06 00",
        "f0 03 00 00 00",
        "f0 03 00 0c 00",
        "0f 05 00",
        "01 02",
    ],
)
def test_acceptance_is_no_refusal(reply: str) -> None:
    decoder = PolarH10Decoder()
    push(decoder, bytes.fromhex(reply), PMD_CONTROL)
    assert decoder.refusals == 0
    assert decoder.count.bad_frames == 0


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=60),
            st.sampled_from([PMD_DATA, PMD_CONTROL, HEART_RATE, BATTERY_LEVEL, "", "other"]),
        ),
        max_size=20,
    )
)
def test_nothing_that_arrives_raises_and_all_bytes_are_counted(
    packets: list[tuple[bytes, str]],
) -> None:
    decoder = PolarH10Decoder()
    frames = sum(len(push(decoder, data, channel)) for data, channel in packets)
    assert decoder.count.frames == frames
    assert decoder.count.bytes == sum(len(data) for data, _ in packets)
    assert push(decoder, notification([5]))[0].samples_uv[0, 0] == 5


def test_reset_forgets_the_clock_but_no_counts() -> None:
    decoder = PolarH10Decoder()
    push(decoder, notification([0] * 73, last_ns=10**18))
    push(decoder, notification([0] * 73, last_ns=10**18 + round(73 * STEP_NS * 1.02)))
    decoder.reset()
    (frame,) = push(decoder, notification([0] * 73, last_ns=10**18))
    assert frame.device_time_ns == 10**18 - round(72 * STEP_NS)
    assert decoder.count.frames == 3


def test_registry_makes_it_by_name() -> None:
    decoder = make_decoder("polar_h10")
    assert isinstance(decoder, PolarH10Decoder)
    assert isinstance(decoder, Decoder)
    assert isinstance(decoder, GattDevice)
    assert decoder.start_commands() == (bytes.fromhex("02000001820001010e00"),)
    assert decoder.stop_commands() == (bytes.fromhex("0300"),)
