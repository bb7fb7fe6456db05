"""The Viatom ER3: compression, cables, counter, lead-off and nonsense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.devices.viatom_er3 import CABLES, ViatomEr3Decoder, expand
from firmware_bridge.stream import Frame, HeartRate, Packet
from tests.firmware_bridge.devices.specimen import Specimen
from tests.firmware_bridge.devices.viatom_er3_wire import SPECIMENS, UV, compressed, real_time
from tests.firmware_bridge.devices.viatom_wire import NOTIFY, answer

ROWS = [[1, 2, 3, 4], [5, 6, 7, 8]]


def push(decoder: ViatomEr3Decoder, *pieces: bytes) -> list[Frame]:
    return [frame for piece in pieces for frame in decoder.push(Packet(piece, 0, NOTIFY))]


def test_it_is_asked_by_its_own_command() -> None:
    decoder = ViatomEr3Decoder()
    assert decoder.start_commands()[0][:7] == bytes.fromhex("A506F900000000")
    assert decoder.keep_alive_commands()[0][4] == 1


@pytest.mark.parametrize("specimen", SPECIMENS, ids=["12 leads", "2 leads"])
def test_sessions_decode_whatever_the_pieces(specimen: Specimen) -> None:
    whole, bytewise = ViatomEr3Decoder(), ViatomEr3Decoder()
    wire = b"".join(packet.data for packet in specimen.packets)
    frames = push(whole, wire)
    pieces = push(bytewise, *(bytes([byte]) for byte in wire))
    assert whole.count == bytewise.count
    assert [frame.counter for frame in frames] == [1000, 1050, 1100, 1150]
    for decoded in (frames, pieces):
        samples = np.concatenate([frame.samples_uv for frame in decoded])
        np.testing.assert_allclose(samples, specimen.samples_uv, atol=0.01)
        assert {frame.format.leads for frame in decoded} == {specimen.leads}


def test_differences_and_whole_values_expand() -> None:
    wire = bytes.fromhex("01FF 80 02 03 1027 7F81".replace(" ", ""))
    assert expand(wire, 2) == [1, -1, 4, 10_000, 131, 9_873]


channel_counts = st.sampled_from([4, 8])


@settings(max_examples=50)
@given(samples=st.binary(max_size=320), shift=st.integers(0, 12), channels=channel_counts)
def test_what_was_compressed_expands(samples: bytes, shift: int, channels: int) -> None:
    whole = samples[: len(samples) // (2 * channels) * 2 * channels]
    values = np.frombuffer(whole, "<i2") >> shift
    assert expand(compressed(values.reshape(-1, channels).tolist()), channels) == values.tolist()


@settings(max_examples=100)
@given(wire=st.binary(max_size=200), channels=channel_counts)
def test_any_bytes_expand_to_whole_rows_or_to_nothing(wire: bytes, channels: int) -> None:
    values = expand(wire, channels)
    assert values is None or len(values) % channels == 0


@pytest.mark.parametrize(
    "wire", ["0102 03", "80", "8001", "8001 0102", "0180 0102", "8003 01020304"]
)
def test_a_row_cut_short_or_torn_is_nothing(wire: str) -> None:
    assert expand(bytes.fromhex(wire.replace(" ", "")), 4) is None


@pytest.mark.parametrize("cable", CABLES)
def test_the_cable_tells_the_leads(cable: int) -> None:
    channels, leads = CABLES[cable]
    row = [100 * (k + 1) for k in range(len(channels))]
    (frame,) = push(ViatomEr3Decoder(), real_time([row], cable=cable))
    assert frame.format.leads == leads
    expected = [row[channels.index(lead)] * UV for lead in leads]
    assert frame.samples_uv[0].tolist() == pytest.approx(expected)


def test_contact_comes_lead_by_lead() -> None:
    decoder = ViatomEr3Decoder()
    two_off, unplugged = push(
        decoder,
        real_time(ROWS, cable=1, off=0b0100_0000_0010),  # V5 and II of V5, I, II, V1
        real_time(ROWS, cable=1, is_in=False),
    )
    assert two_off.lead_off == 0b0101
    assert unplugged.lead_off == 0b1111
    contacts = [each.contact for each in decoder.readings() if isinstance(each, HeartRate)]
    assert contacts == [True, False]


def test_heart_rate_and_battery_come_with_every_answer() -> None:
    decoder = ViatomEr3Decoder()
    push(decoder, real_time([], bpm=61, battery=44), real_time([], bpm=0xFFFF, battery=200))
    assert decoder.readings() == (HeartRate(61, (), True, 44), HeartRate(0, (), True, None))


@pytest.mark.parametrize(
    "wire",
    [
        real_time(ROWS, cable=9),
        real_time(ROWS, cable=0),  # four channels where the cable has eight
        answer(real_time(ROWS, cable=1)[7:-2], command=0x06),
        answer(bytes(53), command=0x06),
    ],
)
def test_an_answer_that_makes_no_sense_is_bad(wire: bytes) -> None:
    decoder = ViatomEr3Decoder()
    assert push(decoder, wire) == []
    assert decoder.count.bad_frames == 1
    assert decoder.count.skipped_bytes == len(wire)
