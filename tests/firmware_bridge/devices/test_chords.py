"""Chords boards: packets out of a byte stream, the board's name, and what contradicts it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.chords import ChordsDecoder
from firmware_bridge.devices.chords_boards import BOARDS, ChordsBoard
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import Conversing, Decoder, Introducing, Refusing, SerialDevice
from firmware_bridge.stream import Frame, Packet
from firmware_bridge.timeline import Timeline
from tests.firmware_bridge.devices.chords_wire import board, packet

LSB_UV = 5e6 / 1024 / 1000


def push(decoder: ChordsDecoder, data: bytes) -> list[Frame]:
    return decoder.push(Packet(data, 0))


def rows(count: int, first: int = 0) -> list[list[int]]:
    return [[(first + k) * 5 % 1024, 0, 1023, 512, 0x17C, 1] for k in range(count)]


def stream(values: Sequence[Sequence[int]], first: int = 0) -> bytes:
    return b"".join(packet(first + k, row) for k, row in enumerate(values))


def digital(frames: list[Frame]) -> list[list[int]]:
    if not frames:
        return []
    uv = np.concatenate([frame.samples_uv for frame in frames])
    found: list[list[int]] = np.rint(uv / LSB_UV + 512).astype(int).tolist()
    return found


def test_it_is_all_that_it_says() -> None:
    for protocol in (Decoder, SerialDevice, Refusing, Conversing, Introducing):
        assert isinstance(ChordsDecoder(), protocol)


def test_a_packet_by_the_firmwares_source() -> None:
    wire = bytes.fromhex("c77c 2a 0200 0000 03ff 0100 0201 01fe 01")
    (frame,) = push(ChordsDecoder(), wire)
    expected = np.array([[0, -512, 511, -256, 1, -2]]) * LSB_UV
    np.testing.assert_allclose(frame.samples_uv, expected, atol=1e-3)
    assert (frame.counter, frame.counter_modulus) == (42, 256)
    assert frame.format.leads == ("CH1", "CH2", "CH3", "CH4", "CH5", "CH6")
    assert frame.format.rate_hz == 250.0


@given(st.lists(st.integers(1, 60), max_size=60), st.binary(max_size=30))
def test_any_chunking_gives_the_same_samples(sizes: list[int], noise: bytes) -> None:
    wire = noise + stream(rows(30)) + b"UNO-R3\r\n" + stream(rows(30, 30), 30) + noise
    whole, cut = ChordsDecoder(), ChordsDecoder()
    expected = digital(push(whole, wire))
    frames, at = [], 0
    for size in sizes:
        frames += push(cut, wire[at : at + size])
        at += size
    frames += push(cut, wire[at:])
    assert digital(frames) == expected
    assert cut.count == whole.count
    assert cut.replies() == whole.replies()


def test_packets_that_arrive_together_are_one_frame() -> None:
    (frame,) = push(ChordsDecoder(), stream(rows(40), 240))
    assert frame.counter == 240
    assert digital([frame]) == rows(40)


def test_more_than_a_turn_of_the_counter_is_one_frame() -> None:
    (frame,) = push(ChordsDecoder(), stream(rows(700)))
    assert frame.samples_uv.shape == (700, 6)


def test_a_lost_packet_is_a_gap_of_one_sample() -> None:
    decoder, timeline = ChordsDecoder(), Timeline()
    values = rows(600)
    wire = [packet(k, row) for k, row in enumerate(values) if k not in (100, 300, 301)]
    for at in range(0, len(wire), 20):
        for frame in push(decoder, b"".join(wire[at : at + 20])):
            timeline.push(frame, (at + 20) * 4_000_000)
    timeline.flush()
    assert timeline.count.gap == 3
    assert timeline.count.delivered == 597


@given(st.data())
def test_a_lost_byte_costs_no_packet_but_its_own(data: st.DataObject) -> None:
    values = rows(20)
    wire = stream(values)
    lost = data.draw(st.integers(0, len(wire) - 1))
    found = digital(push(ChordsDecoder(), wire[:lost] + wire[lost + 1 :]))
    assert found == [row for k, row in enumerate(values) if k != lost // 16]


def test_a_value_that_the_converter_cannot_have_spoils_its_packet() -> None:
    wire = bytearray(stream(rows(3)))
    wire[16 + 3] = 0x04
    decoder = ChordsDecoder()
    assert digital(push(decoder, bytes(wire))) == [rows(3)[0], rows(3)[2]]
    assert decoder.count.skipped_bytes == 16


def test_the_board_is_started_when_it_says_its_name() -> None:
    decoder = ChordsDecoder()
    told = board("UNO-CLONE")
    assert decoder.start_commands() == (b"WHORU\n",)
    assert decoder.replies() == ()
    assert push(decoder, told[b"WHORU\n"]) == []
    assert decoder.replies() == (b"START\n",)
    assert decoder.replies() == ()
    assert decoder.about() == {"board": "UNO-CLONE"}
    assert decoder.stop_commands() == (b"STOP\n",)
    assert decoder.keep_alive_commands() == ()
    assert decoder.refusals == 0


def test_a_board_that_streams_already_answers_between_its_packets() -> None:
    decoder = ChordsDecoder()
    frames = push(decoder, stream(rows(5)) + b"UNO-R3\r\n" + stream(rows(5, 5), 5))
    assert digital(frames) == rows(10)
    assert decoder.replies() == (b"START\n",)


def test_another_board_is_not_started_and_not_believed() -> None:
    decoder = ChordsDecoder(board="UNO-R3")
    push(decoder, b"UNO-R4\r\n")
    assert decoder.replies() == ()
    assert decoder.refusals == 1
    assert "it is UNO-R4; the source must say board=UNO-R4" in decoder.last_refusal
    assert push(decoder, stream(rows(5))) == []
    assert decoder.count.bad_frames == 5
    decoder.reset()
    push(decoder, b"UNO-R3\r\n")
    assert digital(push(decoder, stream(rows(5)))) == rows(5)


def test_an_unknown_name_is_told() -> None:
    decoder = ChordsDecoder()
    push(decoder, b"TOASTER-9\r\n")
    assert "it is TOASTER-9; no board of that name is known" in decoder.last_refusal
    assert decoder.replies() == ()
    assert digital(push(decoder, stream(rows(5)))) == rows(5)


@pytest.mark.parametrize("text", [b"STOP\r\n", b"RUNNING\r\n"])
def test_states_are_no_names(text: bytes) -> None:
    decoder = ChordsDecoder()
    push(decoder, text)
    assert (decoder.refusals, decoder.replies()) == (0, ())


def test_what_an_esp32_says_when_it_starts_is_no_name() -> None:
    decoder = ChordsDecoder(board="NPG-LITE")
    push(
        decoder,
        b"ESP-ROM:esp32c6-20220919\r\nBuild:Sep 19 2022\r\nrst:0x15 (USB_UART_HPSYS),boot:0x6c "
        b"(SPI_FAST_FLASH_BOOT)\r\nSPIWP:0xee\r\nmode:DIO, clock div:2\r\nNPG-LITE\r\n",
    )
    assert decoder.refusals == 0
    assert decoder.replies() == (b"START\n",)


@pytest.mark.parametrize("kind", BOARDS, ids=lambda kind: kind.kind)
def test_every_board_is_known_by_kind_and_by_its_answers(kind: ChordsBoard) -> None:
    names = [kind.kind] if kind.kind == "NPG-LITE-6CH" else [kind.kind, *kind.answers]
    for name in names:
        decoder = ChordsDecoder(board=name.lower())
        (frame,) = push(decoder, stream([list(range(kind.channels))]))
        assert frame.format.rate_hz == kind.rate_hz
        assert frame.samples_uv.shape == (1, kind.channels)
        assert decoder.serial.baud == kind.baud
        assert decoder.serial.settle_s == 2.0


def test_leads_gain_and_range_are_options() -> None:
    decoder = ChordsDecoder(board="UNO-R4", leads="3,1", vref="3.3", gain="500")
    (frame,) = push(decoder, stream([[8192, 0, 16383, 0, 0, 0]]))
    assert frame.format.leads == ("CH3", "CH1")
    lsb_uv = 3.3e6 / 16384 / 500
    np.testing.assert_allclose(frame.samples_uv, [[8191 * lsb_uv, 0.0]], atol=1e-3)


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_any_bytes_are_survived_and_counted(reads: list[bytes]) -> None:
    decoder = ChordsDecoder(board="GIGA")
    for data in reads:
        push(decoder, data)
    decoder.reset()
    count = decoder.count
    assert count.bytes == sum(map(len, reads))
    assert count.skipped_bytes <= count.bytes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"board": "UNO"}, "board must be one of UNO-R3, UNO-R4, PICO"),
        ({"leads": "7"}, "leads must be all, or numbers from 1 to 6 with commas"),
        ({"leads": "1,1"}, "leads must be all"),
        ({"gain": "0"}, "gain must be a number above 0"),
        ({"vref": "five"}, "vref must be a number above 0"),
    ],
)
def test_options_name_what_is_allowed(options: dict[str, object], words: str) -> None:
    with pytest.raises(SourceUriError, match=words):
        make_decoder("chords", **options)
