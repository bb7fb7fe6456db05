"""Movesense with the firmware of J. Primbs: both characteristics, invalid samples, the rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.movesense_primbs import MovesensePrimbsDecoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import Decoder, GattDevice, Refusing, Telling
from firmware_bridge.stream import Frame, HeartRate, Packet
from firmware_bridge.timeline import Timeline
from tests.firmware_bridge.devices.movesense_primbs_wire import ECG, ECG_UNTIL_0_7, notification

HEART_RATE = "00002a37-0000-1000-8000-00805f9b34fb"
BATTERY = "00002a19-0000-1000-8000-00805f9b34fb"
INVALID = -32768
LSB_UV = 0.381469726563


def push(decoder: MovesensePrimbsDecoder, data: bytes, channel: str = "") -> list[Frame]:
    return decoder.push(Packet(data, 0, channel))


def test_it_is_all_that_it_says() -> None:
    for protocol in (Decoder, GattDevice, Refusing, Telling):
        assert isinstance(MovesensePrimbsDecoder(), protocol)


def test_firmware_from_0_8_on_is_never_written_to() -> None:
    decoder = MovesensePrimbsDecoder()
    assert decoder.gatt.control == ""
    assert decoder.gatt.data == (ECG,)
    assert decoder.start_commands() == decoder.stop_commands() == ()


@pytest.mark.parametrize("firmware", ["0.5.0", "0.7", "0.7.2"])
def test_firmware_up_to_0_7_is_told_the_interval(firmware: str) -> None:
    decoder = MovesensePrimbsDecoder(firmware, rate="500")
    assert decoder.gatt.control == "00002be3-0000-1000-8000-00805f9b34fb"
    assert decoder.gatt.data == (ECG_UNTIL_0_7,)
    assert decoder.start_commands() == (b"\x02\x00",)
    assert MovesensePrimbsDecoder(firmware, rate=100).start_commands() == (b"\x0a\x00",)


def test_a_frame_has_time_and_microvolts() -> None:
    (frame,) = push(MovesensePrimbsDecoder(), bytes.fromhex("10270000 0100 ffff 0180 ff7f"))
    np.testing.assert_allclose(
        frame.samples_uv[:, 0], np.array([1, -1, -32767, 32767]) * LSB_UV, rtol=1e-6
    )
    assert frame.device_time_ns == 10_000_000_000
    assert frame.format.leads == ("ECG",)


@given(st.lists(st.integers(-32768, 32767) | st.just(INVALID), min_size=1, max_size=64))
def test_invalid_samples_are_left_out_and_the_others_keep_their_time(samples: list[int]) -> None:
    frames = push(MovesensePrimbsDecoder(), notification(1000, samples))
    placed = {
        (frame.device_time_ns or 0) + 4_000_000 * k: float(uv)
        for frame in frames
        for k, uv in enumerate(frame.samples_uv[:, 0])
    }
    expected = {
        1_000_000_000 + 4_000_000 * k: pytest.approx(sample * LSB_UV, rel=1e-6)
        for k, sample in enumerate(samples)
        if sample != INVALID
    }
    assert placed == expected


def test_invalid_samples_become_a_gap_of_their_number() -> None:
    decoder, timeline = MovesensePrimbsDecoder(), Timeline()
    spoilt = [1] * 5 + [INVALID] * 3 + [2] * 8
    for k, samples in enumerate([[0] * 16, spoilt, [INVALID] * 16, [0] * 16]):
        for frame in push(decoder, notification(64 * k, samples)):
            timeline.push(frame, k * 64_000_000)
    assert timeline.count.gap == 3 + 16
    assert timeline.count.span == 64


@pytest.mark.parametrize(("said", "true"), [(250, 500), (500, 250), (250, 125), (125, 100)])
def test_another_rate_than_the_one_said_gives_no_samples_and_says_so(said: int, true: int) -> None:
    decoder = MovesensePrimbsDecoder(rate=said)
    frames = [push(decoder, notification(k * 16_000 // true, range(16))) for k in range(40)]
    assert frames[8:] == [[]] * 32
    assert decoder.refusals == 1
    assert f"about {true} samples a second, not {said}" in decoder.last_refusal
    decoder.reset()
    again = [push(decoder, notification(k * 16_000 // said, range(16))) for k in range(3)]
    assert all(again)


def test_loss_alone_raises_no_doubt_of_the_rate() -> None:
    decoder = MovesensePrimbsDecoder()
    for k in range(0, 300, 2):
        assert push(decoder, notification(64 * (k + k % 3), range(16)))
    assert decoder.refusals == 0


def test_heart_rate_contact_and_charge() -> None:
    decoder = MovesensePrimbsDecoder()
    push(decoder, bytes([0x14, 60, 0x00, 0x04]), HEART_RATE)
    push(decoder, bytes([55]), BATTERY)
    (frame,) = push(decoder, notification(0, range(16)), ECG)
    assert (frame.lead_off, frame.battery_percent) == (1, 55)
    assert decoder.readings() == (HeartRate(60.0, (1000.0,), False, None),)
    push(decoder, bytes([0x16, 60]), HEART_RATE)
    assert push(decoder, notification(64, range(16)), ECG)[0].lead_off == 0


@given(st.binary(max_size=600), st.sampled_from(["", ECG, HEART_RATE, BATTERY, "other"]))
def test_any_bytes_are_survived_and_counted(data: bytes, channel: str) -> None:
    decoder = MovesensePrimbsDecoder()
    frames = push(decoder, data, channel)
    count = decoder.count
    assert count.bytes == len(data)
    if count.frames == 0 and channel in ("", ECG):
        assert frames == []
        assert (count.bad_frames, count.skipped_bytes) == (1, len(data))
    for frame in frames:
        assert np.abs(frame.samples_uv).max() < 12_500


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rate": "128"}, "rate must be one of 100, 125, 250, 500"),
        ({"firmware": "new"}, "firmware must be its version, such as 0.8"),
    ],
)
def test_options_name_what_is_allowed(options: dict[str, object], words: str) -> None:
    with pytest.raises(SourceUriError, match=words):
        make_decoder("movesense_primbs", **options)
