"""Movesense with its own firmware: a real message, made ones, refusals, parts, nonsense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.movesense import BATTERY_REF, MovesenseDecoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import (
    Conversing,
    Decoder,
    GattDevice,
    Introducing,
    Refusing,
    Telling,
)
from firmware_bridge.stream import Frame, HeartRate, Packet
from firmware_bridge.timeline import Timeline
from tests.firmware_bridge.devices.movesense_wire import (
    ECG_REF,
    NOTIFY,
    answer,
    heart_rate,
    message,
    reply,
    split,
)

REAL_MESSAGE = bytes.fromhex(
    "eadc0100000000000000ffffeeff15004800fcfe66ff68047b02c9f514f8671fd856c76f"
)
REAL_UV = [0, 0, 0, -1, -18, 21, 72, -260, -154, 1128, 635, -2615, -2028, 8039, 22232, 28615]
"""As the vendor's tool sbem2json gives them; stream /Meas/ECG/200/mV (movesense-py, fixture)."""


def push(decoder: MovesenseDecoder, *wire: bytes, channel: str = NOTIFY) -> list[Frame]:
    return [frame for data in wire for frame in decoder.push(Packet(data, 0, channel))]


def converse(decoder: MovesenseDecoder) -> None:
    for command in decoder.start_commands():
        for packet in answer(command):
            assert decoder.push(packet) == []


def test_it_is_all_that_it_says() -> None:
    decoder = MovesenseDecoder()
    for protocol in (Decoder, GattDevice, Refusing, Conversing, Telling, Introducing):
        assert isinstance(decoder, protocol)
    assert decoder.gatt.name == "Movesense*"
    assert decoder.replies() == ()


def test_a_real_message_gives_the_microvolts_of_the_vendors_tool() -> None:
    decoder = MovesenseDecoder(rate=200, unit="mv")
    (frame,) = push(decoder, bytes([2, ECG_REF]) + REAL_MESSAGE)
    assert frame.samples_uv[:, 0].tolist() == REAL_UV
    assert frame.samples_uv.dtype == np.float32
    assert frame.device_time_ns == 122_090_000_000
    assert frame.format.rate_hz == 200.0
    assert frame.counter is None
    assert frame.lead_off == 0


def test_start_commands_are_those_of_the_specification() -> None:
    commands = MovesenseDecoder(rate="125").start_commands()
    assert commands[0] == b"\x00\x01"
    assert commands[1] == bytes.fromhex("01642f4d6561732f4543472f313235")
    assert commands[2] == b"\x04\x02/System/Energy/Level"
    assert MovesenseDecoder(rate="125").stop_commands() == (b"\x02\x64",)


def test_unit_and_heart_rate_change_what_is_asked_for() -> None:
    decoder = MovesenseDecoder(rate="512", unit="mv", hr="1")
    assert decoder.start_commands()[1:3] == (b"\x01\x64/Meas/ECG/512/mV", b"\x01\x65/Meas/HR")
    assert decoder.stop_commands() == (b"\x02\x64", b"\x02\x65")


@given(st.lists(st.integers(-(1 << 17), (1 << 17) - 1), min_size=16, max_size=16))
def test_raw_units_are_0_38_microvolts(samples: list[int]) -> None:
    (frame,) = push(MovesenseDecoder(), message(0, samples))
    expected = np.array(samples) * 0.381469726563
    np.testing.assert_allclose(frame.samples_uv[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("unit", ["raw", "mv"])
@pytest.mark.parametrize("mtu", [23, 30, 40, 64])
def test_parts_are_joined(unit: str, mtu: int) -> None:
    decoder = MovesenseDecoder(unit=unit)
    samples = list(range(-8, 8))
    scale = 1.0 if unit == "mv" else 0.381469726563
    for k in range(3):
        frames = push(decoder, *split(message(64 * k, samples, unit), mtu))
        assert len(frames) == 1
        np.testing.assert_allclose(frames[0].samples_uv[:, 0], np.array(samples) * scale, rtol=1e-6)
    assert decoder.count.bad_frames == 0
    assert decoder.count.skipped_bytes == 0


def test_a_lost_part_costs_its_message_only() -> None:
    decoder = MovesenseDecoder()
    parts = split(message(0, range(16)), 40)
    whole = message(64, range(16))
    assert push(decoder, parts[0], whole) != []
    assert decoder.count.bad_frames == 1
    assert push(decoder, parts[1]) == []
    assert len(push(decoder, parts[0], parts[1], parts[1])) == 1
    assert decoder.count.bad_frames == 3


def test_parts_of_another_stream_are_not_mixed_in() -> None:
    decoder = MovesenseDecoder(hr=1)
    first, second = split(message(0, range(16)), 48)
    assert len(push(decoder, first, heart_rate(70.0, 850), second)) == 1


def test_reset_forgets_a_part() -> None:
    decoder = MovesenseDecoder()
    first, second = split(message(0, range(16)), 48)
    push(decoder, first)
    decoder.reset()
    assert push(decoder, second) == []


def test_charge_is_asked_for_regularly_and_told_with_every_frame() -> None:
    decoder = MovesenseDecoder()
    converse(decoder)
    assert push(decoder, message(0, range(16)))[0].battery_percent == 87
    assert decoder.keep_alive_commands() == (b"\x04\x02/System/Energy/Level",)
    assert decoder.keep_alive_s == 60.0
    push(decoder, reply(2, 200, bytes([12])))
    assert push(decoder, message(64, range(16)))[0].battery_percent == 12
    push(decoder, reply(2, 200, bytes([240])))
    assert push(decoder, message(128, range(16)))[0].battery_percent == 12


def test_the_sensor_introduces_itself() -> None:
    decoder = MovesenseDecoder()
    assert decoder.about() == {}
    converse(decoder)
    assert decoder.about() == {
        "model": "Movesense",
        "serial number": "012345678901",
        "firmware": "App 2.3",
    }
    push(decoder, b"\x01\x01Hello")
    assert decoder.about() == {}


def test_heart_rate_is_told() -> None:
    decoder = MovesenseDecoder(hr=1)
    converse(decoder)
    push(decoder, heart_rate(71.5, 840, 835), heart_rate(72.0))
    first, second = decoder.readings()
    assert first == HeartRate(71.5, (840.0, 835.0), None, 87)
    assert second == HeartRate(72.0, (), None, 87)
    assert decoder.readings() == ()


@pytest.mark.parametrize("bad", [b"", b"\0\0\0", heart_rate(float("nan"))[2:], heart_rate(-1)[2:]])
def test_a_damaged_heart_rate_is_bad(bad: bytes) -> None:
    decoder = MovesenseDecoder(hr=1)
    push(decoder, bytes([2, 101]) + bad)
    assert decoder.readings() == ()
    assert decoder.count.bad_frames == 1


def test_readings_that_nobody_takes_are_bounded() -> None:
    decoder = MovesenseDecoder(hr=1)
    push(decoder, *(heart_rate(60.0 + k % 100) for k in range(1000)))
    assert len(decoder.readings()) == 256


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (503, "/Meas/ECG/250: it is busy"),
        (404, "/Meas/ECG/250: its firmware does not know it"),
        (599, "it gives no reason (status 599)"),
    ],
)
def test_refusals_are_told_in_words(status: int, words: str) -> None:
    decoder = MovesenseDecoder()
    push(decoder, reply(ECG_REF, status))
    assert decoder.refusals == 1
    assert words in decoder.last_refusal


def test_a_refused_battery_is_told_but_no_reason_to_connect_anew() -> None:
    decoder = MovesenseDecoder()
    push(decoder, reply(BATTERY_REF, 404))
    assert decoder.refusals == 0
    assert "refused" in decoder.last_refusal


def test_a_refused_unit_says_which_firmware_it_needs() -> None:
    decoder = MovesenseDecoder(unit="mv")
    push(decoder, reply(ECG_REF, 404))
    assert "needs firmware 2.3" in decoder.last_refusal


def test_a_status_sent_big_endian_is_understood() -> None:
    decoder = MovesenseDecoder()
    push(decoder, bytes([1, ECG_REF, 0x01, 0xFB]))
    assert "status 507" in decoder.last_refusal


def test_one_lost_message_is_a_gap_of_16_samples_and_sleep_a_restart() -> None:
    decoder, timeline = MovesenseDecoder(rate=128), Timeline()
    for k, stamp_ms in enumerate([1000, 1125, 1250, 1500, 1625]):
        for frame in push(decoder, message(stamp_ms, range(16))):
            timeline.push(frame, k * 125_000_000)
    assert timeline.count.gap == 16
    assert timeline.count.duplicate == 0
    timeline.disconnected(700_000_000)
    decoder.reset()
    for k, stamp_ms in enumerate([300, 425, 550]):
        for frame in push(decoder, message(stamp_ms, range(16))):
            timeline.push(frame, 10_000_000_000 + k * 125_000_000)
    assert timeline.count.delivered == 8 * 16
    assert timeline.count.duplicate == timeline.count.late == timeline.count.bad == 0


@given(st.lists(st.binary(max_size=80), max_size=20), st.booleans())
def test_any_bytes_are_survived_and_counted(notifications: list[bytes], as_ecg: bool) -> None:
    decoder = MovesenseDecoder(hr=1)
    for data in notifications:
        for frame in push(decoder, bytes([2 + len(data) % 2, ECG_REF]) + data if as_ecg else data):
            assert frame.samples_uv.shape == (16, 1)
            assert np.isfinite(frame.samples_uv).all()
    assert decoder.count.skipped_bytes <= decoder.count.bytes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rate": "130"}, "rate must be one of 125, 128, 200, 250, 256, 500, 512"),
        ({"unit": "uv"}, "unit must be one of raw, mv"),
        ({"hr": "2"}, "hr must be 1 or 0"),
    ],
)
def test_options_name_what_is_allowed(options: dict[str, object], words: str) -> None:
    with pytest.raises(SourceUriError, match=words):
        make_decoder("movesense", **options)
