"""The control point of PMD, and the times in its data."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.devices.polar_pmd import (
    ACC,
    CHANNELS,
    ECG,
    PPG,
    PPI,
    RANGE,
    RATE,
    RESOLUTION,
    SDK_MODE,
    Features,
    Reply,
    SampleClock,
    Stopped,
    choose_settings,
    parse_control,
    parse_factor,
    parse_settings,
    settings_command,
    split_data,
    start_command,
    stop_command,
)

H10_ACC = bytes.fromhex("04 19 00 32 00 64 00 c8 00 01 01 10 00 02 03 02 00 04 00 08 00")
VERITY_PPG = bytes.fromhex("00 01 87 00 01 01 16 00 04 01 04")
VERITY_ACC = bytes.fromhex("00 01 34 00 01 01 10 00 02 01 08 00 04 01 03")


def test_commands_are_those_of_the_specification() -> None:
    assert settings_command(ECG) == bytes.fromhex("01 00")
    ecg = start_command(ECG, [(RATE, 130), (RESOLUTION, 14)])
    assert ecg == bytes.fromhex("02 00 00 01 82 00 01 01 0e 00")
    assert start_command(SDK_MODE) == bytes.fromhex("02 09")
    assert stop_command(ECG) == bytes.fromhex("03 00")


@pytest.mark.parametrize(
    ("data", "measurements"),
    [("0f 05", {ECG, ACC}), ("0f 6e 02", {PPG, ACC, PPI, 5, 6, SDK_MODE}), ("0f 00", set())],
)
def test_features_are_bits(data: str, measurements: set[int]) -> None:
    assert parse_control(bytes.fromhex(data) + bytes(14)) == Features(frozenset(measurements))


def test_a_sensor_that_stops_names_what_it_stops() -> None:
    assert parse_control(bytes.fromhex("01 00 02")) == Stopped((ECG, ACC))


@pytest.mark.parametrize(
    ("data", "reply", "refused", "starts"),
    [
        ("f0 02 00 00 00 00", Reply(2, ECG, 0, False, b"\0"), False, True),
        ("f0 02 00 06 00", Reply(2, ECG, 6), False, True),
        ("f0 02 00 05 00", Reply(2, ECG, 5), True, True),
        ("f0 03 00 0c 00", Reply(3, ECG, 12), True, False),
        ("f0 01 02 00 00 ff ff ff", Reply(1, ACC, 0, False, b"\xff" * 3), False, False),
        ("f0 01 06 07 00", Reply(1, 6, 7), True, False),
        ("f0 01 01 00 01 00 05", Reply(1, PPG, 0, True, b"\0\5"), False, False),
        ("f0 01 01 05 01", Reply(1, PPG, 5), True, False),
        ("f0 00 01 0a", Reply(0, PPG, 10), True, True),
    ],
)
def test_replies_say_whether_and_why(data: str, reply: Reply, refused: bool, starts: bool) -> None:
    told = parse_control(bytes.fromhex(data))
    assert told == reply
    assert isinstance(told, Reply)
    assert (told.refused, told.starts) == (refused, starts)
    assert told.why


@pytest.mark.parametrize("data", ["", "f0", "f0 02 00", "0f", "99 00 00 00 00"])
def test_damaged_replies_are_none(data: str) -> None:
    assert parse_control(bytes.fromhex(data)) is None


def test_settings_are_lists_of_values() -> None:
    assert parse_settings(b"\0" + H10_ACC) == {
        RATE: (25, 50, 100, 200),
        RESOLUTION: (16,),
        RANGE: (2, 4, 8),
    }
    assert parse_settings(VERITY_PPG) == {RATE: (135,), RESOLUTION: (22,), CHANNELS: (4,)}


@pytest.mark.parametrize("cut", range(1, len(VERITY_ACC)))
def test_settings_that_are_cut_keep_what_is_whole(cut: int) -> None:
    whole = parse_settings(VERITY_ACC)
    told = parse_settings(VERITY_ACC[:cut])
    assert len(told) < len(whole)
    assert told.items() <= whole.items()


def test_a_start_sends_back_one_value_of_each_setting() -> None:
    ppg = start_command(PPG, choose_settings(parse_settings(VERITY_PPG), 135))
    assert ppg == bytes.fromhex("02 01 00 01 87 00 01 01 16 00 04 01 04")
    acc = start_command(ACC, choose_settings(parse_settings(VERITY_ACC), 52))
    assert acc == bytes.fromhex("02 02 00 01 34 00 01 01 10 00 02 01 08 00 04 01 03")
    many = choose_settings({RATE: (26, 52, 416), RANGE: (2, 8, 16), CHANNELS: ()}, 52)
    assert many == ((RATE, 52), (RANGE, 8))
    assert choose_settings({RANGE: (2, 4), 5: (1,), 6: (1,)}, 52) == ((RANGE, 4),)


@pytest.mark.parametrize(
    ("parameters", "factor"),
    [
        ("05 01 40 da 7f 39", 0.000244),
        ("05 01 00 00 80 3f", 1.0),
        ("", None),
        ("00", None),
        ("05 00", None),
        ("05 01 00 00 80", None),
        ("05 01 00 00 c0 7f", None),
        ("05 01 00 00 80 bf", None),
    ],
    ids=["armband", "one", "empty", "H10", "no value", "cut", "not a number", "negative"],
)
def test_factor_of_a_reply(parameters: str, factor: float | None) -> None:
    told = parse_factor(bytes.fromhex(parameters))
    assert told == (None if factor is None else pytest.approx(factor, rel=1e-3))


@given(st.binary(max_size=80))
def test_any_bytes_parse_or_are_none(data: bytes) -> None:
    message = parse_control(data)
    if isinstance(message, Reply):
        chosen = choose_settings(parse_settings(message.parameters), 55)
        assert len(start_command(PPG, chosen)) <= 2 + len(message.parameters) + 2
        parse_factor(message.parameters)
    parts = split_data(data)
    assert (parts is None) == (len(data) < 10)


@given(st.integers(0, 0x3F), st.integers(0, (1 << 64) - 1), st.integers(0, 255), st.binary())
def test_data_come_apart_as_they_were_put_together(
    kind: int, last_ns: int, frame_type: int, content: bytes
) -> None:
    data = struct.pack("<BQB", kind | 0x40, last_ns, frame_type) + content
    assert split_data(data) == (kind, last_ns, frame_type, content)


def test_clock_measures_its_step_where_nothing_is_missing() -> None:
    clock = SampleClock(50.0)
    assert clock.first_ns(10**9, 11) == 10**9 - 200_000_000
    assert clock.first_ns(10**9 + 208_000_000, 10) == 10**9 + 20_800_000
    assert clock.first_ns(2 * 10**9, 10) == 2 * 10**9 - 9 * 20_800_000, "a loss measures nothing"
    clock.reset()
    assert clock.first_ns(3 * 10**9, 11) == 3 * 10**9 - 200_000_000
