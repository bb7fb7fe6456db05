"""What every decoder must stand, tried on the specimens that the devices' wire modules supply."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace
from numpy.typing import NDArray

import firmware_bridge.devices
from firmware_bridge.devices import decoder_names, make_decoder
from firmware_bridge.protocols import Conversing, Decoder, GattDevice, Refusing, Telling
from firmware_bridge.stream import Frame, Packet
from tests.firmware_bridge.devices.specimen import Specimen
from tests.firmware_bridge.specimens import converse, specimens, start, started, title

FORBIDDEN = {
    "asyncio",
    "bleak",
    "random",
    "select",
    "serial",
    "socket",
    "sqlite3",
    "subprocess",
    "threading",
    "time",
}
HELD_BYTES_MAX = 256 * 1024
NOISE_BYTES = 1 << 18


KNOWN = specimens()
every = pytest.mark.parametrize("specimen", KNOWN, ids=title)
streams = pytest.mark.parametrize("specimen", [s for s in KNOWN if s.byte_stream], ids=title)
guarded = pytest.mark.parametrize("specimen", [s for s in KNOWN if s.checked], ids=title)


def decoded(decoder: Decoder, packets: Iterable[Packet]) -> list[Frame]:
    return [frame for packet in packets for frame in decoder.push(packet)]


def rows(frames: Iterable[Frame], leads: int) -> NDArray[np.float32]:
    parts = [frame.samples_uv for frame in frames]
    return np.concatenate(parts) if parts else np.zeros((0, leads), np.float32)


def assert_expected(frames: list[Frame], specimen: Specimen) -> None:
    got = rows(frames, specimen.samples_uv.shape[1])
    assert got.shape == specimen.samples_uv.shape
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, specimen.samples_uv, rtol=0, atol=specimen.tolerance_uv)
    for frame in frames:
        assert frame.format.leads == specimen.leads
        assert frame.format.rate_hz == pytest.approx(specimen.rate_hz)


def key(frame: Frame) -> tuple[object, ...]:
    return (
        frame.samples_uv.tobytes(),
        frame.counter,
        frame.device_time_ns,
        frame.lead_off,
        frame.battery_percent,
    )


@pytest.mark.parametrize("name", decoder_names())
def test_every_device_has_a_specimen(name: str) -> None:
    assert name in {specimen.device for specimen in KNOWN}


@every
def test_session_decodes_to_what_was_sent(specimen: Specimen) -> None:
    decoder = started(specimen)
    assert isinstance(decoder, Decoder)
    before = decoder.count.bytes
    assert_expected(decoded(decoder, specimen.packets), specimen)
    count = decoder.count
    assert count.bytes - before == sum(len(packet.data) for packet in specimen.packets)
    assert count.frames > 0
    assert count.bad_frames == 0
    assert count.skipped_bytes <= count.bytes
    if isinstance(decoder, Refusing):
        assert decoder.refusals == 0, decoder.last_refusal
    if not len(specimen.samples_uv):
        assert isinstance(decoder, Telling)
        assert decoder.readings()
        assert decoder.readings() == ()


@every
def test_commands_are_bytes_and_the_conversation_rests(specimen: Specimen) -> None:
    decoder = started(specimen)
    for command in (*decoder.start_commands(), *decoder.stop_commands()):
        assert isinstance(command, bytes)
        assert command
    if isinstance(decoder, Conversing):
        assert decoder.keep_alive_s > 0 or not decoder.keep_alive_commands()
        decoder.replies()
        assert decoder.replies() == ()
    if isinstance(decoder, GattDevice):
        assert decoder.gatt.data
        commands = (*decoder.start_commands(), *decoder.stop_commands())
        assert decoder.gatt.control or not commands
        for uuid in (*decoder.gatt.data, *decoder.gatt.side, *decoder.gatt.services):
            assert len(uuid) == 36
            assert uuid == uuid.lower()


@every
def test_frames_are_counted_on_and_stamped_in_order(specimen: Specimen) -> None:
    frames = decoded(started(specimen), specimen.packets)
    for one, next_one in pairwise(frames):
        if one.counter is not None and next_one.counter is not None:
            step = (next_one.counter - one.counter) % one.counter_modulus
            assert step == len(one.samples_uv) % one.counter_modulus
        if one.device_time_ns is not None and next_one.device_time_ns is not None:
            assert next_one.device_time_ns > one.device_time_ns


@streams
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_any_chunking_gives_the_same_frames(specimen: Specimen, data: st.DataObject) -> None:
    wire = b"".join(packet.data for packet in specimen.packets)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(wire) - 1), max_size=40)))
    edges = [0, *cuts, len(wire)]
    channel = specimen.packets[0].channel
    pieces = [Packet(wire[a:b], 0, channel) for a, b in pairwise(edges)]
    frames = decoded(started(specimen), pieces)
    assert_expected(frames, specimen)
    whole = decoded(started(specimen), [Packet(wire, 0, channel)])
    assert concatenated(frames) == concatenated(whole)


@streams
def test_byte_by_byte_gives_the_same_frames(specimen: Specimen) -> None:
    wire = b"".join(packet.data for packet in specimen.packets)
    channel = specimen.packets[0].channel
    single = [Packet(wire[k : k + 1], 0, channel) for k in range(len(wire))]
    frames = decoded(started(specimen), single)
    whole = decoded(started(specimen), [Packet(wire, 0, channel)])
    assert concatenated(frames) == concatenated(whole)


def concatenated(frames: list[Frame]) -> tuple[object, ...]:
    """What frames say, apart from where one ends and the next begins."""
    first = frames[0]
    samples = b"".join(frame.samples_uv.tobytes() for frame in frames)
    return samples, first.counter, first.device_time_ns, frames[-1].lead_off


def channels_of(specimen: Specimen) -> list[str]:
    return sorted(
        {"", "0000ffff-0000-1000-8000-00805f9b34fb", *(p.channel for p in specimen.packets)}
    )


@every
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_bytes_are_survived_and_counted(specimen: Specimen, data: st.DataObject) -> None:
    decoder = started(specimen)
    before = decoder.count.bytes
    sent = 0
    for _ in range(data.draw(st.integers(1, 6))):
        piece = data.draw(st.one_of(st.binary(max_size=400), damaged(specimen)))
        channel = data.draw(st.sampled_from(channels_of(specimen)))
        for frame in decoder.push(Packet(piece, sent, channel)):
            assert frame.samples_uv.ndim == 2
            assert frame.samples_uv.shape[1] == len(frame.format.leads)
            assert np.isfinite(frame.samples_uv).all()
        sent += len(piece)
    count = decoder.count
    assert count.bytes - before == sent
    assert all(each >= 0 for each in astuple(count))
    assert count.skipped_bytes <= count.bytes
    decoder.reset()
    if isinstance(decoder, Telling):
        decoder.readings()


def damaged(specimen: Specimen) -> st.SearchStrategy[bytes]:
    """Packets of the session, cut and with bytes changed."""

    def damage(packet: Packet, at: int, value: int, cut: int) -> bytes:
        whole = bytearray(packet.data)
        if whole:
            whole[at % len(whole)] = value
        return bytes(whole[: len(whole) - cut % (len(whole) + 1)])

    small = st.integers(0, 255)
    return st.builds(damage, st.sampled_from(specimen.packets), st.integers(0, 4000), small, small)


@every
def test_noise_fills_no_memory(specimen: Specimen) -> None:
    noise = random.Random(1)
    decoder = started(specimen)
    channel = specimen.packets[0].channel
    begins = specimen.packets[0].data[:4]
    for _ in range(NOISE_BYTES // 4096):
        decoder.push(Packet(noise.randbytes(2048), 0, channel))
        decoder.push(Packet(begins + b"\xff" * 2044, 0, channel))
    assert held_bytes(decoder, set()) < HELD_BYTES_MAX


def held_bytes(thing: object, seen: set[int]) -> int:
    """Bytes kept by an object and by what it refers to."""
    if id(thing) in seen or isinstance(thing, type) or callable(thing):
        return 0
    seen.add(id(thing))
    if isinstance(thing, bytes | bytearray | str):
        return len(thing)
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    return sum(8 + held_bytes(part, seen) for part in parts_of(thing))


def parts_of(thing: object) -> Iterator[object]:
    if isinstance(thing, dict):
        yield from thing.values()
    elif isinstance(thing, list | tuple | set | frozenset) or hasattr(thing, "popleft"):
        yield from thing  # type: ignore[misc]
    yield from vars(thing).values() if hasattr(thing, "__dict__") else ()
    for name in getattr(type(thing), "__slots__", ()):
        yield getattr(thing, name, None)


@guarded
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_changed_byte_never_yields_a_wrong_sample(specimen: Specimen, data: st.DataObject) -> None:
    right = {key(frame)[0] for frame in decoded(started(specimen), specimen.packets)}
    number = data.draw(st.integers(0, len(specimen.packets) - 1))
    packet = specimen.packets[number]
    at = data.draw(st.integers(0, len(packet.data) - 1))
    changed = bytearray(packet.data)
    changed[at] ^= data.draw(st.integers(1, 255))
    packets = list(specimen.packets)
    packets[number] = replace(packet, data=bytes(changed))
    for frame in decoded(started(specimen), packets):
        assert frame.samples_uv.tobytes() in right


@every
def test_reset_in_mid_frame_forgets_that_frame_alone(specimen: Specimen) -> None:
    decoder = started(specimen)
    first = specimen.packets[0]
    decoder.push(replace(first, data=first.data[: len(first.data) // 2]))
    before = decoder.count
    decoder.reset()
    after = decoder.count
    assert after.bytes == before.bytes
    assert after.frames == before.frames
    start(decoder, specimen)
    assert_expected(decoded(decoder, specimen.packets), specimen)


@every
def test_reset_that_comes_after_the_start_commands_changes_nothing(specimen: Specimen) -> None:
    """The decoder runs in another thread than the one that starts the device."""
    decoder = make_decoder(specimen.device, **specimen.options)
    commands = decoder.start_commands()
    decoder.reset()
    converse(decoder, specimen, commands)
    assert_expected(decoded(decoder, specimen.packets), specimen)


@pytest.mark.parametrize(
    "path", sorted(Path(firmware_bridge.devices.__file__).parent.glob("*.py")), ids=lambda p: p.stem
)
def test_decoder_does_no_io(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not {name.partition(".")[0] for name in names} & FORBIDDEN
