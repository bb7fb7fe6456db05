"""HealthyPi over Bluetooth LE: its models, their counts, heart rate and nonsense."""

from __future__ import annotations

import fnmatch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.healthypi_ble import HealthyPiBleDecoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import GattDevice, Telling
from firmware_bridge.stream import Frame, HeartRate, Packet
from tests.firmware_bridge.devices.healthypi_ble_wire import (
    BATTERY,
    ECG,
    HEART_RATE,
    SPECIMENS,
    v4,
    word,
)
from tests.firmware_bridge.devices.specimen import Specimen


def push(decoder: HealthyPiBleDecoder, data: bytes, channel: str = ECG) -> list[Frame]:
    return decoder.push(Packet(data, 0, channel))


@pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda each: str(each.options))
def test_sessions_decode(specimen: Specimen) -> None:
    decoder = make_decoder("healthypi_ble", **specimen.options)
    frames = [frame for packet in specimen.packets for frame in decoder.push(packet)]
    samples = np.concatenate([frame.samples_uv for frame in frames])
    np.testing.assert_allclose(samples, specimen.samples_uv, atol=1e-3)
    assert {frame.format.rate_hz for frame in frames} == {specimen.rate_hz}
    assert decoder.count.frames == len(specimen.packets)


def test_a_count_of_the_v4_has_12_309_microvolts() -> None:
    (frame,) = push(HealthyPiBleDecoder("v4"), bytes.fromhex("0100") + bytes(16))
    assert frame.samples_uv[0, 0] == pytest.approx(12.309, rel=1e-4)
    assert (frame.counter, frame.device_time_ns) == (None, None)


def test_the_length_tells_the_model_where_none_is_given() -> None:
    decoder = HealthyPiBleDecoder()
    (old,), (new,) = push(decoder, v4([1] * 9)), push(decoder, word([1] * 8))
    assert (old.format.rate_hz, new.format.rate_hz) == (125.0, 128.0)
    assert old.samples_uv[0, 0] > 100 * new.samples_uv[0, 0]


@pytest.mark.parametrize(
    ("model", "data"),
    [
        ("v4", word([1] * 4)),
        ("5", v4([1] * 9)),
        ("move", b""),
        ("move", word([0] * 33)),
        ("move", word([1 << 17])),
        ("move", word([-(1 << 17) - 1])),
        ("5", word([(1 << 31) - 1, -(1 << 31)])),
    ],
)
def test_what_the_model_cannot_have_sent_is_bad(model: str, data: bytes) -> None:
    decoder = HealthyPiBleDecoder(model)
    assert push(decoder, data) == []
    assert decoder.count.bad_frames == 1
    assert decoder.count.skipped_bytes == len(data)


@settings(max_examples=30)
@given(counts=st.lists(st.integers(-(1 << 17), (1 << 17) - 1), min_size=1, max_size=32))
def test_every_count_of_18_bits_survives(counts: list[int]) -> None:
    (frame,) = push(HealthyPiBleDecoder("5", uv_per_lsb="1"), word(counts))
    assert frame.samples_uv[:, 0].tolist() == counts


@settings(max_examples=50)
@given(data=st.binary(max_size=150), channel=st.sampled_from(["", ECG, HEART_RATE, BATTERY, "x"]))
def test_any_bytes_decode_or_are_counted(data: bytes, channel: str) -> None:
    decoder = HealthyPiBleDecoder()
    push(decoder, data, channel)
    assert decoder.count.bytes == len(data)
    assert decoder.count.skipped_bytes in (0, len(data))


def test_heart_rate_and_battery_come_beside() -> None:
    decoder = HealthyPiBleDecoder("v4")
    assert isinstance(decoder, Telling)
    push(decoder, bytes([87]), BATTERY)
    push(decoder, bytes.fromhex("0648"), HEART_RATE)
    (frame,) = push(decoder, v4([0] * 9))
    assert frame.battery_percent == 87
    assert decoder.readings() == (HeartRate(72.0, (), True, 87),)
    push(decoder, b"\xff", BATTERY)
    assert decoder.count.bad_frames == 1


def test_it_needs_no_commands_and_no_bond() -> None:
    decoder = HealthyPiBleDecoder()
    assert isinstance(decoder, GattDevice)
    assert decoder.gatt.control == ""
    assert not decoder.gatt.bond
    assert decoder.start_commands() == decoder.stop_commands() == ()


@pytest.mark.parametrize("name", ["Healthypi v4", "healthypi move", "HealthyPi 5"])
def test_scans_find_it_by_its_names(name: str) -> None:
    assert fnmatch.fnmatchcase(name, HealthyPiBleDecoder.gatt.name)


def test_an_unknown_model_lists_the_known() -> None:
    with pytest.raises(SourceUriError, match="model must be one of v4, 5, move, but is '6'"):
        make_decoder("healthypi_ble", model="6")
    with pytest.raises(SourceUriError, match="rate must be a number above 0"):
        make_decoder("healthypi_ble", rate="slow")
