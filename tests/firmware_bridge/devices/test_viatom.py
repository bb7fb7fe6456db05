"""Viatom patches: polling, pieces, lead-off, invalid counts, refusals and nonsense."""

from __future__ import annotations

import fnmatch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.viatom import ViatomDecoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import Conversing, GattDevice, Refusing, Telling
from firmware_bridge.stream import Frame, HeartRate, Packet
from tests.firmware_bridge.devices.specimen import Specimen
from tests.firmware_bridge.devices.viatom_wire import NOTIFY, SPECIMENS, UV, answer, real_time


def push(decoder: ViatomDecoder, *pieces: bytes) -> list[Frame]:
    return [frame for piece in pieces for frame in decoder.push(Packet(piece, 0, NOTIFY))]


def test_questions_are_those_of_the_protocol() -> None:
    decoder = ViatomDecoder()
    assert isinstance(decoder, Conversing)
    assert decoder.start_commands() == (bytes.fromhex("A503FC000001007D23"),)
    assert decoder.keep_alive_s == 1.0
    polls = [decoder.keep_alive_commands()[0] for _ in range(256)]
    assert [poll[4] for poll in polls] == [*range(1, 255), 0, 1]
    assert {poll[:4] + poll[5:8] for poll in polls} == {bytes.fromhex("A503FC0001007D")}
    assert decoder.replies() == ()
    assert decoder.stop_commands() == ()


@pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda each: str(each.options))
def test_sessions_decode_whatever_the_pieces(specimen: Specimen) -> None:
    wire = b"".join(packet.data for packet in specimen.packets)
    notified, bytewise = (make_decoder("viatom_er1", **specimen.options) for _ in range(2))
    frames = [frame for packet in specimen.packets for frame in notified.push(packet)]
    pieces = [f for byte in wire for f in bytewise.push(Packet(bytes([byte]), 0, NOTIFY))]
    assert notified.count == bytewise.count
    assert notified.count.skipped_bytes == 0
    for decoded in (frames, pieces):
        samples = np.concatenate([frame.samples_uv for frame in decoded])
        np.testing.assert_allclose(samples, specimen.samples_uv, atol=1e-3)


def test_an_answer_by_the_note_decodes() -> None:
    head = bytes.fromhex("4800 01 5A 1E000000 02 0000000000000000000000 0200".replace(" ", ""))
    (frame,) = push(ViatomDecoder(), answer(head + bytes.fromhex("0100 FFFF")))
    assert frame.samples_uv[:, 0].tolist() == pytest.approx([2.46722, -2.46722], rel=1e-5)
    assert (frame.battery_percent, frame.lead_off) == (90, 0)
    assert (frame.counter, frame.device_time_ns) == (None, None)


@settings(max_examples=30)
@given(samples=st.binary(max_size=400))
def test_every_count_survives(samples: bytes) -> None:
    whole = np.frombuffer(samples[: len(samples) // 2 * 2], "<i2")
    counts = np.minimum(whole, 0x7FFE).tolist()
    frames = push(ViatomDecoder(), real_time(counts))
    decoded = [value for frame in frames for value in frame.samples_uv[:, 0].tolist()]
    np.testing.assert_allclose(decoded, np.array(counts) * UV, rtol=1e-5)


@pytest.mark.parametrize(("status", "off"), [(0x07, 1), (0x27, 1), (0x02, 0), (0x05, 0)])
def test_status_7_means_that_the_lead_is_off(status: int, off: int) -> None:
    decoder = ViatomDecoder()
    (frame,) = push(decoder, real_time([1, 2], status=status))
    assert frame.lead_off == off
    (told,) = decoder.readings()
    assert isinstance(told, HeartRate)
    assert told.contact is not bool(off)


def test_all_leads_of_an_er3_are_off_together() -> None:
    (frame,) = push(ViatomDecoder("er3"), real_time([1, 2, 3, 4], status=7, leads=4))
    assert (frame.lead_off, frame.samples_uv.shape) == (0b1111, (1, 4))


def test_invalid_counts_become_0_and_say_so() -> None:
    (frame,) = push(ViatomDecoder(), real_time([100, 0x7FFF, -100]))
    assert frame.samples_uv[:, 0].tolist() == pytest.approx([100 * UV, 0, -100 * UV])
    assert frame.lead_off == 1
    (frame,) = push(ViatomDecoder("er3"), real_time([1, 2, 0x7FFF, 4] * 3, leads=4))
    assert frame.lead_off == 0b0100


def test_heart_rate_and_battery_come_with_every_answer() -> None:
    decoder = ViatomDecoder()
    assert isinstance(decoder, Telling)
    assert push(decoder, real_time([], bpm=64, battery=33)) == []
    push(decoder, real_time([], bpm=0xFFFF, battery=255, status=7))
    assert decoder.readings() == (HeartRate(64, (), True, 33), HeartRate(0, (), False, None))
    assert decoder.count.frames == 2


@pytest.mark.parametrize(
    "wire",
    [
        answer(real_time([1, 2, 3])[7:-3]),  # a sample less than the head says
        answer(bytes(5)),  # no head
        answer(bytes(48) + bytes(60)),  # the later firmware of the ER3
    ],
)
def test_an_answer_of_another_length_is_bad(wire: bytes) -> None:
    decoder = ViatomDecoder()
    assert push(decoder, wire, real_time([1]))
    assert decoder.count.bad_frames == 1


def test_what_was_not_asked_for_is_skipped() -> None:
    decoder = ViatomDecoder()
    information, request = answer(bytes(40), command=0xE1), answer(b"\x7d", flag=0)
    assert push(decoder, information, request) == []
    assert decoder.count.skipped_bytes == len(information) + len(request)
    decoder.push(Packet(b"abc", 0, "00002a19-0000-1000-8000-00805f9b34fb"))
    assert decoder.count.bad_frames == 0


def test_a_refusal_is_named() -> None:
    decoder = ViatomDecoder()
    assert isinstance(decoder, Refusing)
    push(decoder, answer(b"", flag=0xFC))
    assert decoder.refusals == 1
    assert "status 0xfc" in decoder.last_refusal


@settings(max_examples=60)
@given(at=st.integers(0, 69), value=st.integers(1, 255))
def test_an_altered_byte_never_yields_a_sample(at: int, value: int) -> None:
    wire = bytearray(real_time(range(20)))
    wire[at] ^= value
    decoder = ViatomDecoder()
    frames = push(decoder, bytes(wire), *[real_time([5])] * 3, bytes(1100))
    assert {frame.samples_uv.shape for frame in frames} <= {(1, 1)}


def test_reset_forgets_half_an_answer() -> None:
    decoder = ViatomDecoder()
    push(decoder, real_time([1, 2, 3])[:20])
    decoder.reset()
    assert len(push(decoder, real_time([1, 2, 3]))) == 1
    assert decoder.count.skipped_bytes == 20


@pytest.mark.parametrize("name", ["ER1 0123", "ER2 0123", "ER3 1", "DuoEK 4", "VBeat 77"])
def test_scans_find_it_by_its_names(name: str) -> None:
    assert isinstance(ViatomDecoder(), GattDevice)
    assert fnmatch.fnmatchcase(name, ViatomDecoder.gatt.name)
    assert not fnmatch.fnmatchcase("Viatom O2", ViatomDecoder.gatt.name)


def test_options_are_checked() -> None:
    with pytest.raises(SourceUriError, match="model must be one of er1, er3, but is 'er9'"):
        make_decoder("viatom_er1", model="er9")
    (frame,) = make_decoder("viatom_er1", rate="250").push(Packet(real_time([1]), 0, NOTIFY))
    assert frame.format.rate_hz == 250
