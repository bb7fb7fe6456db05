"""The Ganglion decoder: OpenBCI's own vectors, both firmwares, losses, and nonsense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.ganglion import GanglionDecoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import Decoder, GattDevice, Introducing, Telling
from firmware_bridge.stream import Frame, Packet, Waveform
from firmware_bridge.timeline import Timeline
from tests.firmware_bridge.devices.ganglion_wire import (
    RECEIVE,
    delta_stream,
    packed,
    raw_packet,
    value_packet,
)

COUNT_UV = 1.2e6 / (8_388_607 * 1.5 * 51)
VECTORS = (
    (1, "000000002000280004800 0BC00070028C00A", [0, 2, 10, 4], [131074, 245760, 114698, 49162]),
    (
        1,
        "FFFF7FFFBFFFE7FFF500014F8E30001FF001",
        [-3, -5, -7, -11],
        [-262139, -198429, -262137, -4095],
    ),
    (101, "0000000008000500004800 09F001B000300008", [0, 2, 10, 4], [262148, 507910, 393222, 8]),
)
"""Packets of differences and their two rows, from the tests of OpenBCI_NodeJS_Utilities."""


def push(decoder: GanglionDecoder, *notifications: bytes) -> list[Frame]:
    return [frame for data in notifications for frame in decoder.push(Packet(data, 0, RECEIVE))]


def counts(frames: list[Frame]) -> list[list[int]]:
    rows = np.concatenate([frame.samples_uv for frame in frames])
    return np.rint(rows.astype(float) / COUNT_UV).astype(int).tolist()


def test_a_count_is_what_openbci_gives_but_for_their_rounding() -> None:
    (frame,) = push(GanglionDecoder(), raw_packet([8_388_607, 0, 0, 0]))
    assert frame.samples_uv[0, 0] == pytest.approx(15_686, abs=0.5)


def small_cycle(samples: int = 201) -> np.ndarray:
    """Counts that fall by even steps, so that a difference loses nothing."""
    return 600_000 - np.arange(samples)[:, None] * np.array([2, 40, 600, 0])


@pytest.mark.parametrize(("number", "wire", "first", "second"), VECTORS)
def test_known_packets_give_their_known_differences(
    number: int, wire: str, first: list[int], second: list[int]
) -> None:
    body = bytes.fromhex(wire.replace(" ", "")).ljust(19, b"\0")
    frames = push(GanglionDecoder(firmware=2), raw_packet([0] * 4), bytes([number]) + body)
    after_first = [-step for step in first]
    after_second = [old - step for old, step in zip(after_first, second, strict=True)]
    assert counts(frames)[1:] == [after_first, after_second]


def test_it_is_what_the_bridge_expects_of_a_gatt_device() -> None:
    decoder = GanglionDecoder()
    for kind in (Decoder, GattDevice, Introducing, Telling):
        assert isinstance(decoder, kind)
    assert decoder.start_commands() == (b"v", b"b")
    assert GanglionDecoder(acc=1).start_commands() == (b"v", b"n", b"b")
    assert decoder.stop_commands() == (b"s",)


@pytest.mark.parametrize("wide", [True, False])
def test_a_cycle_of_firmware_2_has_201_samples(wide: bool) -> None:
    cycle = small_cycle()
    frames = push(GanglionDecoder(), *delta_stream(cycle, wide), *delta_stream(cycle[:3], wide))
    assert counts(frames) == [*cycle.tolist(), *cycle[:3].tolist()]
    assert [frame.counter for frame in frames[:3]] == [0, 1, 3]
    assert [frame.counter for frame in frames[100:]] == [199, 0, 1]
    assert {frame.counter_modulus for frame in frames} == {201}
    timeline = Timeline(0)
    for frame in frames:
        timeline.push(frame, 0)
    assert timeline.count.gap == 0


def test_after_a_loss_no_difference_is_believed_before_the_next_whole_sample() -> None:
    first, second = delta_stream(small_cycle()), delta_stream(small_cycle(5) + 7)
    decoder = GanglionDecoder()
    frames = push(decoder, *first[:10], *first[11:], *second)
    assert counts(frames) == [*small_cycle(19).tolist(), *(small_cycle(5) + 7).tolist()]
    assert decoder.count.skipped_bytes == 90 * 20


def test_differences_before_the_first_whole_sample_are_skipped() -> None:
    decoder = GanglionDecoder(firmware=2)
    assert push(decoder, *delta_stream(small_cycle())[50:]) == []
    assert len(push(decoder, raw_packet([1, 2, 3, 4]))) == 1
    decoder.reset()
    assert push(decoder, delta_stream(small_cycle())[1]) == []


@pytest.mark.parametrize(("start", "lost_bits"), [(100, 5), (0, 6)])
def test_firmware_3_sends_the_upper_bits_of_values(start: int, lost_bits: int) -> None:
    rows = [[-8_388_608, 8_388_607, -1, 0], [300, -300, 70_000, 8_191]]
    decoder = GanglionDecoder(firmware=3)
    (frame,) = push(decoder, value_packet(start + 7, [*rows[0], *rows[1]]))
    expected = [[value >> lost_bits << lost_bits for value in row] for row in rows]
    assert np.abs(np.array(counts([frame])) - expected).max() <= 1
    assert frame.counter == 14


def test_packets_of_firmware_3_follow_each_other_and_losses_show() -> None:
    numbers = [*range(100, 200), 100, 103]
    frames = push(GanglionDecoder(), *(value_packet(n, [64 * n] * 8) for n in numbers))
    assert [frame.counter for frame in frames] == [*range(0, 202, 2), 206]


def test_firmware_3_0_leaves_half_of_the_first_packet_of_a_cycle_unwritten() -> None:
    numbers = [*range(100, 201), *range(100, 103)]
    wires = [value_packet(n, ([0] if n == 100 else [64 * n]) * 4 + [64 * n] * 4) for n in numbers]
    for decoder in (GanglionDecoder(), GanglionDecoder(firmware="3")):
        frames = push(decoder, *wires)
        ends = [frame.counter + len(frame.samples_uv) for frame in frames]
        assert [frame.counter for frame in frames] == [0, *ends[:-1]]
        assert ends[-1] == 201 + 5
        assert [0] * 4 not in counts(frames)


def test_the_cycle_of_firmware_3_0_is_learned_from_its_last_number() -> None:
    numbers = [*range(150, 201), *range(100, 103)]
    frames = push(GanglionDecoder(firmware=3), *(value_packet(n, [n * 64] * 8) for n in numbers))
    ends = [frame.counter + len(frame.samples_uv) for frame in frames]
    assert [frame.counter for frame in frames][1:] == ends[:-1]
    narrow = [*range(95, 101), *range(3)]
    frames = push(
        GanglionDecoder(firmware=3),
        *(bytes([n]) + packed([n << 12] * 8, 18) for n in narrow),
    )
    ends = [frame.counter + len(frame.samples_uv) for frame in frames]
    assert [frame.counter for frame in frames][1:] == ends[:-1]


@pytest.mark.parametrize(("version", "samples"), [(b"2.0.1", 0), (b"3.0.2", 2)])
def test_the_greeting_tells_the_firmware(version: bytes, samples: int) -> None:
    decoder = GanglionDecoder()
    assert push(decoder, value_packet(150, [64] * 8)) == []  # either firmware sends it
    push(decoder, b"\xceOpenBCI Gang", b"\xcelion v" + version, b"\xcf\r\n")
    assert decoder.about() == {"firmware": "v" + version.decode()}
    frames = push(decoder, value_packet(151, [64] * 8))
    assert sum(len(frame.samples_uv) for frame in frames) == samples


def test_a_railed_channel_counts_as_a_lead_off() -> None:
    (frame,) = push(GanglionDecoder(), raw_packet([0, (1 << 23) - 1, 5, -(1 << 23)]))
    assert frame.lead_off == 0b1010
    assert GanglionDecoder().about() == {}


def test_movement_comes_in_three_of_ten_packets() -> None:
    decoder = GanglionDecoder(firmware=3, acc="1")
    push(decoder, *(value_packet(n, [64] * 8, aux) for n, aux in ((1, 10), (2, 246), (3, 0))))
    (reading,) = decoder.readings()
    assert isinstance(reading, Waveform)
    assert (reading.kind, reading.unit) == ("acc", "mg")
    assert reading.samples.tolist() == [[160.0, -160.0, 0.0]]


def test_impedances_text_and_other_channels_are_skipped() -> None:
    decoder = GanglionDecoder()
    assert push(decoder, b"\xc9" + b"1234Z".ljust(19), b"\xcfhello") == []
    assert decoder.count.bad_frames == 0
    assert push(decoder, b"\xff" * 20, b"\x64" + bytes(10), b"") == []
    assert decoder.push(Packet(b"\x5f", 0, "00002a19-0000-1000-8000-00805f9b34fb")) == []
    count = decoder.count
    assert (count.frames, count.bad_frames) == (0, 2)
    assert count.skipped_bytes == count.bytes


def test_only_the_channels_asked_for_are_delivered() -> None:
    decoder = GanglionDecoder(channels="4,1")
    (frame,) = push(decoder, raw_packet([1, 2, 3, 4]))
    assert frame.format.leads == ("CH4", "CH1")
    assert counts([frame]) == [[4, 1]]


@given(st.lists(st.binary(max_size=24), max_size=60), st.sampled_from(["auto", "2", "3"]))
def test_nonsense_is_counted_and_never_raises(notifications: list[bytes], firmware: str) -> None:
    decoder = GanglionDecoder(firmware=firmware, acc=True)
    frames = push(decoder, *notifications)
    count = decoder.count
    assert all(0 <= (frame.counter or 0) < frame.counter_modulus for frame in frames)
    assert count.frames == len(frames)
    assert 20 * count.frames + count.skipped_bytes == count.bytes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"firmware": "4"}, "firmware must be one of auto, 2, 3"),
        ({"channels": "5"}, "channels must be a whole number from 1 to 4"),
        ({"acc": "x"}, "acc must be 1 or 0"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], words: str) -> None:
    with pytest.raises(SourceUriError, match=words):
        make_decoder("ganglion", **options)
