"""Framing: intact packets come out, damaged ones never, whatever the bytes and the chunks."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware_bridge.framing import (
    Deframer,
    cobs_decode,
    cobs_encode,
    encode_packet,
    wire_bytes_max,
)

PAYLOADS = st.one_of(
    st.binary(min_size=1, max_size=600),
    st.builds(lambda byte, n: bytes([byte]) * n, st.integers(0, 255), st.integers(1, 900)),
)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """`data` in chunks of these sizes, repeated as needed."""
    chunks, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        chunks.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return chunks


def state(deframer: Deframer) -> tuple[int, ...]:
    return (
        deframer.frames,
        deframer.bad_frames,
        deframer.received_bytes,
        deframer.skipped_bytes,
        deframer.pending_bytes,
    )


@pytest.mark.parametrize(
    ("plain", "coded"),
    [
        ("", "01"),
        ("00", "0101"),
        ("0000", "010101"),
        ("001100", "01021101"),
        ("11220033", "0311220233"),
        ("11223344", "0511223344"),
        ("11000000", "0211010101"),
    ],
)
def test_cobs_examples_of_the_paper(plain: str, coded: str) -> None:
    assert cobs_encode(bytes.fromhex(plain)).hex() == coded
    assert cobs_decode(bytes.fromhex(coded)) == bytes.fromhex(plain)


def test_cobs_at_the_edge_of_a_full_block() -> None:
    run = bytes(range(1, 255))
    assert cobs_encode(run) == b"\xff" + run
    assert cobs_encode(run + b"\x00") == b"\xff" + run + b"\x01\x01"
    assert cobs_encode(run + b"\xff") == b"\xff" + run + b"\x02\xff"
    assert cobs_encode(b"\x00" + run) == b"\x01\xff" + run


@given(st.one_of(st.just(b""), PAYLOADS))
@example(b"\x01" * 254)
@example(b"\x01" * 508)
def test_cobs_round_trip_without_zeros(data: bytes) -> None:
    coded = cobs_encode(data)
    assert 0 not in coded
    assert cobs_decode(coded) == data


@given(st.binary(max_size=300))
def test_cobs_decode_takes_only_what_has_one_meaning(data: bytes) -> None:
    decoded = cobs_decode(data)
    if decoded is not None:
        assert cobs_decode(cobs_encode(decoded)) == decoded
        assert len(decoded) <= len(data)


@given(PAYLOADS)
def test_a_packet_keeps_its_bound_and_its_delimiters(payload: bytes) -> None:
    packet = encode_packet(payload)
    assert packet[0] == packet[-1] == 0
    assert 0 not in packet[1:-1]
    assert len(packet) - 2 <= wire_bytes_max(len(payload))


@given(
    st.lists(st.one_of(PAYLOADS.map(encode_packet), st.binary(max_size=400)), max_size=8),
    st.lists(st.integers(1, 300), min_size=1, max_size=5),
    st.integers(5, 700),
)
def test_chunks_do_not_matter(pieces: list[bytes], sizes: list[int], max_bytes: int) -> None:
    data = b"".join(pieces)
    whole, parts, single = Deframer(max_bytes), Deframer(max_bytes), Deframer(max_bytes)
    expected = whole.push(data)
    assert [p for chunk in cut(data, sizes) for p in parts.push(chunk)] == expected
    assert [p for byte in data for p in single.push(bytes([byte]))] == expected
    assert state(whole) == state(parts) == state(single)
    assert whole.pending_bytes <= max_bytes


@given(st.lists(PAYLOADS, max_size=6), st.lists(st.binary(max_size=200), min_size=7, max_size=7))
def test_every_intact_packet_comes_out_whatever_lies_between(
    payloads: list[bytes], garbage: list[bytes]
) -> None:
    stream = garbage[0]
    for payload, noise in zip(payloads, garbage[1:], strict=False):
        stream += encode_packet(payload) + noise
    assert Deframer().push(stream + b"\x00") == payloads


@given(PAYLOADS, st.one_of(st.just(0), st.integers(1, 2**32 - 1)))
def test_a_packet_passes_with_its_own_checksum_alone(payload: bytes, change: int) -> None:
    tail = (crc32(payload) ^ change).to_bytes(4, "little")
    deframer = Deframer()
    assert deframer.push(cobs_encode(payload + tail) + b"\x00") == ([] if change else [payload])
    assert (deframer.frames, deframer.bad_frames) == (not change, bool(change))


@given(PAYLOADS, st.data())
def test_a_damaged_packet_costs_itself_only(payload: bytes, data: st.DataObject) -> None:
    packet = bytearray(encode_packet(payload))
    at = data.draw(st.integers(1, len(packet) - 2))
    packet[at] ^= data.draw(st.integers(1, 255))
    deframer = Deframer()
    assert deframer.push(bytes(packet) + encode_packet(b"next")) == [b"next"]
    assert deframer.bad_frames >= 1


@given(PAYLOADS, st.data())
def test_a_cut_packet_costs_itself_only(payload: bytes, data: st.DataObject) -> None:
    packet = encode_packet(payload)
    cut_at = data.draw(st.integers(0, len(packet) - 2))
    assert Deframer().push(packet[:cut_at] + encode_packet(b"next")) == [b"next"]


def test_a_run_without_delimiter_is_dropped_and_counted_once() -> None:
    deframer = Deframer(max_bytes=100)
    assert deframer.push(b"\x05" * 101) == []
    assert state(deframer) == (0, 1, 101, 101, 0)
    deframer.push(b"\x05" * 50)
    assert state(deframer) == (0, 1, 151, 151, 0)
    assert deframer.push(encode_packet(b"next")) == [b"next"]
    assert (deframer.frames, deframer.bad_frames) == (1, 1)


def test_garbage_leaves_a_bounded_buffer_and_every_byte_counted() -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, 1 << 20, np.uint8).tobytes()
    for garbage in (noise, b"\x01" * (1 << 20), b"\x00" * (1 << 20), b"\x01\x01\x00" * (1 << 18)):
        deframer = Deframer()
        assert deframer.push(garbage) == []
        skipped = deframer.skipped_bytes + deframer.pending_bytes
        assert skipped == len(garbage) - garbage.count(0)
        assert deframer.pending_bytes <= 16_384
        assert deframer.push(encode_packet(b"next")) == [b"next"]


def test_reset_forgets_the_partial_packet_and_counts_it() -> None:
    deframer = Deframer()
    packet = encode_packet(b"partial")
    deframer.push(packet[:5])
    deframer.reset()
    assert (deframer.pending_bytes, deframer.skipped_bytes) == (0, 4)
    assert deframer.push(packet) == [b"partial"]


def test_a_checksum_alone_is_no_packet() -> None:
    empty = b"\x00" + cobs_encode(crc32(b"").to_bytes(4, "little")) + b"\x00"
    assert Deframer().push(empty) == []


def test_a_buffer_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="max_bytes"):
        Deframer(0)


def damaged(packet: bytes, rng: np.random.Generator) -> bytes:
    """One of: bit flipped, byte deleted, byte inserted, tail cut, bytes zeroed."""
    kind, at = rng.integers(5), int(rng.integers(1, len(packet) - 1))
    if kind == 0:
        return packet[:at] + bytes([packet[at] ^ (1 << int(rng.integers(8)))]) + packet[at + 1 :]
    if kind == 1:
        return packet[:at] + packet[at + 1 :]
    if kind == 2:
        return packet[:at] + bytes([int(rng.integers(256))]) + packet[at:]
    if kind == 3:
        return packet[:at]
    span = min(int(rng.integers(1, 9)), len(packet) - 1 - at)
    return packet[:at] + bytes(span) + packet[at + span :]


@pytest.mark.parametrize("percent", [1, 5, 20])
def test_all_intact_and_no_wrong_packets_out_of_a_damaged_stream(percent: int) -> None:
    rng = np.random.default_rng(percent)
    intact, stream = [], bytearray()
    for number in range(2000):
        payload = number.to_bytes(4, "little") + rng.integers(-99, 99, 75, np.int16).tobytes()
        packet = encode_packet(payload)
        if rng.random() * 100 < percent:
            packet = damaged(packet, rng)
        else:
            intact.append(payload)
        stream += packet
    deframer = Deframer()
    chunks = cut(bytes(stream), rng.integers(1, 4097, 50).tolist())
    assert [payload for chunk in chunks for payload in deframer.push(chunk)] == intact
    assert deframer.frames == len(intact) < 2000
