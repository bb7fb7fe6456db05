"""The Heart Rate service: real packets, its edges, and the decoder of devices that have no more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.heart_rate import HeartRateDecoder
from firmware_bridge.devices.heart_rate_service import parse_battery, parse_heart_rate
from firmware_bridge.protocols import Decoder, GattDevice, Telling
from firmware_bridge.stream import HeartRate, Packet
from tests.firmware_bridge.devices.heart_rate_wire import (
    BATTERY_LEVEL,
    HEART_RATE,
    SPECIMENS,
    measurement,
)

TICK_MS = 1000 / 1024
INTERVALS = st.lists(st.integers(0, 0xFFFF), max_size=9)


def told_by(decoder: HeartRateDecoder, data: bytes, channel: str = HEART_RATE) -> None:
    assert decoder.push(Packet(data, 0, channel)) == []


@pytest.mark.parametrize(
    ("data", "bpm", "ticks", "contact"),
    [
        ("10482c03", 72, [812], None),  # Polar H10
        ("10495e039603", 73, [862, 918], None),  # Polar H10
        ("063c", 60, [], True),  # Polar H7
        ("163c1104", 60, [1041], True),  # Polar H7
        ("163cf503", 60, [1013], True),  # Polar H7
        ("1634e404", 52, [1252], True),  # an unbranded strap
    ],
)
def test_real_packets(data: str, bpm: int, ticks: list[int], contact: bool | None) -> None:
    reading = parse_heart_rate(bytes.fromhex(data), battery_percent=50)
    assert reading == HeartRate(bpm, tuple(tick * TICK_MS for tick in ticks), contact, 50)


@pytest.mark.parametrize(
    ("data", "bpm", "ticks"),
    [
        ("00 ff", 255, []),
        ("01 80 80", 0x8080, []),
        ("09 00 00 ff ff", 0, []),
        ("08 00 7f 80", 0, []),
        ("11 00 00 ff ff 7f 80", 0, [65535, 32895]),
        ("10 00 00 00", 0, [0]),
        ("10 48", 72, []),
        ("20 48 01 02 03", 72, []),
    ],
    ids=["u8", "u16", "energy full", "energy", "two", "zero", "none yet", "a field of the future"],
)
def test_edges_of_the_format(data: str, bpm: int, ticks: list[int]) -> None:
    reading = parse_heart_rate(bytes.fromhex(data))
    assert reading == HeartRate(bpm, tuple(tick * TICK_MS for tick in ticks), None)


@pytest.mark.parametrize(
    ("flags", "contact"), [(0, None), (2, None), (4, False), (6, True), (0x10, None)]
)
def test_contact_that_is_not_sensed_is_not_lost(flags: int, contact: bool | None) -> None:
    reading = parse_heart_rate(bytes([flags, 60]))
    assert reading is not None
    assert reading.contact is contact


@pytest.mark.parametrize(
    "data",
    [
        "",
        "10",
        "01 48",
        "08 48",
        "08 48 01",
        "10 48 2c",
        "10 48 2c 03 11",
        "00 48 01",
        "00 48 01 02",
    ],
)
def test_damaged_packets_are_bad_and_tell_nothing(data: str) -> None:
    decoder, damaged = HeartRateDecoder(), bytes.fromhex(data)
    told_by(decoder, damaged)
    assert decoder.readings() == ()
    assert decoder.count.bad_frames == 1
    assert decoder.count.skipped_bytes == decoder.count.bytes == len(damaged)


@given(
    bpm=st.integers(0, 0xFFFF),
    ticks=INTERVALS,
    contact=st.none() | st.booleans(),
    energy_kj=st.none() | st.integers(0, 0xFFFF),
)
def test_whatever_is_measured_survives(
    bpm: int, ticks: list[int], contact: bool | None, energy_kj: int | None
) -> None:
    data = measurement(bpm, ticks, contact, energy_kj, wide=bpm > 255)
    assert parse_heart_rate(data) == HeartRate(bpm, tuple(t * TICK_MS for t in ticks), contact)


@given(st.binary(max_size=40))
def test_any_bytes_parse_or_are_damaged(data: bytes) -> None:
    reading = parse_heart_rate(data)
    assert reading is None or (reading.bpm >= 0 and len(reading.rr_ms) <= len(data) // 2)
    percent = parse_battery(data)
    assert percent is None or 0 <= percent <= 100


@given(
    st.lists(
        st.tuples(st.binary(max_size=30), st.sampled_from([HEART_RATE, BATTERY_LEVEL, "", "other"]))
    )
)
def test_nothing_that_arrives_raises_and_all_bytes_are_counted(
    packets: list[tuple[bytes, str]],
) -> None:
    decoder = HeartRateDecoder()
    for data, channel in packets:
        told_by(decoder, data, channel)
    assert decoder.count.frames == len(decoder.readings())
    assert decoder.count.bytes == sum(len(data) for data, _ in packets)
    assert decoder.count.skipped_bytes <= decoder.count.bytes


def test_a_session_is_told_with_the_charge_of_the_moment() -> None:
    decoder = HeartRateDecoder()
    for packet in SPECIMENS[0].packets:
        assert decoder.push(packet) == []
    told = [each for each in decoder.readings() if isinstance(each, HeartRate)]
    assert [each.bpm for each in told] == [72, 195, 300, 0, 73]
    assert [each.contact for each in told] == [None, True, True, False, None]
    assert [each.battery_percent for each in told] == [87, 87, 87, 87, 86]
    assert [len(each.rr_ms) for each in told] == [1, 4, 1, 0, 2]
    assert decoder.readings() == ()
    assert decoder.count.frames == 5


def test_a_charge_of_more_than_all_is_bad() -> None:
    decoder = HeartRateDecoder()
    told_by(decoder, b"\xff", BATTERY_LEVEL)
    told_by(decoder, b"\x00\x48")
    assert decoder.count.bad_frames == 1
    assert decoder.readings() == (HeartRate(72.0),)


def test_readings_that_nobody_takes_are_bounded() -> None:
    decoder = HeartRateDecoder()
    for _ in range(1000):
        told_by(decoder, b"\x00\x48")
    assert len(decoder.readings()) == 256


def test_registry_makes_it_by_name() -> None:
    decoder = make_decoder("heart_rate")
    assert isinstance(decoder, Decoder)
    assert isinstance(decoder, GattDevice)
    assert isinstance(decoder, Telling)
    assert (decoder.gatt.control, decoder.gatt.data) == ("", (HEART_RATE,))
    assert decoder.gatt.advertised == decoder.gatt.services[0]
    assert decoder.start_commands() == decoder.stop_commands() == ()
