"""NPG Lite over Bluetooth LE: blocks, counters, charge, and a board with other channels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.npg_lite import NpgLiteDecoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import Decoder, GattDevice, Refusing
from firmware_bridge.stream import Frame, Packet
from firmware_bridge.timeline import Timeline
from tests.firmware_bridge.devices.npg_lite_wire import BATTERY, CONTROL, DATA, block

LSB_UV = 2.5e6 / 4096 / 1000


def push(decoder: NpgLiteDecoder, data: bytes, channel: str = DATA) -> list[Frame]:
    return decoder.push(Packet(data, 0, channel))


def rows(count: int = 10, channels: int = 3) -> list[list[int]]:
    return [[100 * k + c for c in range(channels)] for k in range(count)]


def test_it_is_all_that_it_says() -> None:
    for protocol in (Decoder, GattDevice, Refusing):
        assert isinstance(NpgLiteDecoder(), protocol)
    assert NpgLiteDecoder.gatt.name == "NPG*"
    assert NpgLiteDecoder().start_commands() == (b"START",)
    assert NpgLiteDecoder().stop_commands() == (b"STOP",)


def test_a_row_by_the_firmwares_source() -> None:
    (frame,) = push(NpgLiteDecoder(), bytes.fromhex("ff 0800 0fff 0000"))
    np.testing.assert_allclose(frame.samples_uv, np.array([[0, 2047, -2048]]) * LSB_UV, atol=1e-3)
    assert (frame.counter, frame.counter_modulus) == (255, 256)
    assert frame.format.leads == ("CH1", "CH2", "CH3")
    assert frame.format.rate_hz == 500.0


@given(st.integers(0, 255), st.sampled_from([1, 10]), st.sampled_from([3, 6]))
def test_blocks_keep_their_counter_and_values(first: int, count: int, channels: int) -> None:
    decoder = NpgLiteDecoder(channels=channels)
    (frame,) = push(decoder, block(first, rows(count, channels)))
    assert frame.counter == first
    found = np.rint(frame.samples_uv / LSB_UV + 2048).astype(int)
    assert found.tolist() == rows(count, channels)


def test_a_jump_of_the_counter_within_a_block_is_a_gap() -> None:
    decoder, timeline = NpgLiteDecoder(), Timeline()
    spoilt = block(10, rows(4)) + block(16, rows(6))
    for k, data in enumerate([block(0, rows()), spoilt, block(22, rows()), block(42, rows())]):
        for frame in push(decoder, data):
            timeline.push(frame, k * 20_000_000)
    timeline.flush()
    assert timeline.count.gap == 2 + 10
    assert timeline.count.delivered == 40


def test_charge_is_told_with_every_frame() -> None:
    decoder = NpgLiteDecoder()
    push(decoder, bytes([64]), BATTERY)
    assert push(decoder, block(0, rows()))[0].battery_percent == 64
    push(decoder, bytes([101]), BATTERY)
    assert push(decoder, block(10, rows()))[0].battery_percent == 64
    assert decoder.count.bad_frames == 1


def test_a_board_with_other_channels_is_told_once() -> None:
    decoder = NpgLiteDecoder()
    for k in range(5):
        assert push(decoder, block(10 * k, rows(10, 6))) == []
    assert decoder.refusals == 1
    assert "sends 6 channels; the source must say channels=6" in decoder.last_refusal
    assert decoder.count.bad_frames == 5


def test_other_firmware_is_told() -> None:
    decoder = NpgLiteDecoder()
    push(decoder, b"UNKNOWN COMMAND", CONTROL)
    assert "does not know START" in decoder.last_refusal


def test_a_value_of_more_than_12_bits_spoils_its_block() -> None:
    decoder = NpgLiteDecoder()
    values = rows()
    values[3][1] = 4096
    assert push(decoder, block(0, values)) == []
    assert decoder.count.bad_frames == 1


def test_leads_gain_and_range_are_options() -> None:
    decoder = NpgLiteDecoder(leads="2", gain="500", vref="3.3")
    (frame,) = push(decoder, block(0, [[0, 2049, 0]]))
    assert frame.format.leads == ("CH2",)
    np.testing.assert_allclose(frame.samples_uv, [[3.3e6 / 4096 / 500]], atol=1e-3)


@given(st.binary(max_size=140), st.sampled_from(["", DATA, CONTROL, BATTERY, "other"]))
def test_any_bytes_are_survived_and_counted(data: bytes, channel: str) -> None:
    decoder = NpgLiteDecoder()
    frames = push(decoder, data, channel)
    assert decoder.count.bytes == len(data)
    if channel in ("", DATA) and not frames:
        assert (decoder.count.bad_frames, decoder.count.skipped_bytes) == (1, len(data))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"channels": "4"}, "channels must be one of 3, 6"),
        ({"leads": "4"}, "leads must be all, or numbers from 1 to 3"),
        ({"gain": "-1"}, "gain must be a number above 0"),
    ],
)
def test_options_name_what_is_allowed(options: dict[str, object], words: str) -> None:
    with pytest.raises(SourceUriError, match=words):
        make_decoder("npg_lite", **options)
