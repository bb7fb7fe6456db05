"""The Polar H10 decoder: real frames, frames made by the specification, and nonsense."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.polar_h10 import (
    BATTERY_LEVEL,
    HEART_RATE,
    PMD_CONTROL,
    PMD_DATA,
    PolarH10Decoder,
)
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import Decoder, GattDevice, Refusing, Telling
from firmware_bridge.stream import Frame, HeartRate, Packet, Waveform
from tests.firmware_bridge.devices.polar_h10_wire import ACC_ROWS, SPECIMENS
from tests.firmware_bridge.devices.specimen import Specimen

REAL_FRAMES = (
    "0091f770aa30495208007a0000670000830000ac0000ac0000a10000a50000a10000a80000ac00009a00009100"
    "00750000320000df0000940300390700b90800070600520100fafeff64ffffabffff5fffff7dffffa2ffff8dff"
    "ff76ffff64ffff79ffff9dffffa2ffffb0ffffc7ffffd5ffffecfffff0ffffe7ffffecffffecffffeefffffeff"
    "fffafffff7ffff000000f7fffff7ffff060000f7ffffd7ffffbeffffabffffa7ffffb7ffffc0ffffbbffffc9ff"
    "ffdcffffdcffffecfffffcfffff0ffffe7ffffe5ffffdeffffd7ffffd9ffffd7ffffd0ffffd7ffffe5ffffecff"
    "ffecffff",
    "007c3bdecb3049520800eefffff5fffff5fffff5ffff000000020000e3ffffa0ffff7bffff9bffffb9ffffbeff"
    "ffc7ffffceffffc5ffffc9ffffd5ffffc2ffffb0ffffa9ffff8dffff80ffff9bffffb0ffffb0ffffb7ffffccff"
    "ffdcffffdcffffe0ffffe9ffffe7fffff3ffff0200000b00000d0000020000feffff1b00003000002900002400"
    "001b00001000001d00003200003000002000000d00000000000d00002400003400003700002400001b00003200"
    "004700004c00004c00003e0000200000f3ffff0900003901000e04002d07004007002a030051ffff13ffffb2ff"
    "ff3affff",
    "00ad574bed304952080026ffff8dffff97ffff92ffffb0ffffa4ffff8dffff9bffffabffffa4ffff72ffff44ff"
    "ff5dffff6fffff4fffff58ffff79ffff80ffff8dffffa4ffffbeffffd5ffffccffffb9ffffc9ffffdeffffc7ff"
    "ffb0ffffa7ffff9bffffa4ffffb4ffffccfffff0ffff000000feffff0d00001b0000140000000000f0ffffecff"
    "ffe7ffffecfffffafffff0ffffe9ffff0400001000000900001400001700000b00001400002400002900002b00"
    "002900002200002200002b00003400003700003900004200004500004000003b00004200005500005900004200"
    "00240000",
)
"""Three in a row of a real strap (phdiethelm/h10_ecg, exploration/gatttool.md)."""
REAL_UV = (
    ([122, 103, 131, 172, 172], [-48, -41, -27, -20, -20], 6115),
    ([-18, -11, -11, -11, 0], [810, -175, -237, -78, -198], 4309),
    ([-218, -115, -105, -110, -80], [66, 85, 89, 66, 36], -2379),
)
"""Their first five samples, their last five and the sum of all."""
REAL_STAMPS_NS = (599622173760485265, 599622174321294204, 599622174882092973)
STEP_NS = 1e9 / 130


def notification(
    samples_uv: Sequence[int], last_ns: int = 599_616_000_000_000_000, kind: int = 0, frame: int = 0
) -> bytes:
    header = bytes([kind]) + last_ns.to_bytes(8, "little") + bytes([frame])
    return header + b"".join(value.to_bytes(3, "little", signed=True) for value in samples_uv)


def push(decoder: PolarH10Decoder, data: bytes, channel: str = PMD_DATA) -> list[Frame]:
    return decoder.push(Packet(data, 0, channel))


def test_real_frames_decode_to_their_known_microvolts() -> None:
    decoder = PolarH10Decoder()
    frames = [frame for each in REAL_FRAMES for frame in push(decoder, bytes.fromhex(each))]
    assert len(frames) == 3
    for frame, (begin, end, total) in zip(frames, REAL_UV, strict=True):
        samples_uv = frame.samples_uv[:, 0].tolist()
        assert (samples_uv[:5], samples_uv[-5:]) == (begin, end)
        assert (len(samples_uv), sum(samples_uv)) == (73, total)
    before_ns, last_ns = REAL_STAMPS_NS[1:]
    measured_ns = (last_ns - before_ns) / 73
    first_ns = before_ns + round(measured_ns)
    assert frames[2].device_time_ns == pytest.approx(first_ns, rel=0, abs=1)
    assert decoder.count.bytes == 3 * 229


@given(st.lists(st.integers(-(1 << 23), (1 << 23) - 1), min_size=1, max_size=80))
def test_every_24_bit_value_survives(samples_uv: list[int]) -> None:
    (frame,) = push(PolarH10Decoder(), notification(samples_uv))
    assert frame.samples_uv.dtype == np.float32
    assert frame.samples_uv.shape == (len(samples_uv), 1)
    assert frame.samples_uv[:, 0].tolist() == samples_uv


def test_first_frame_is_stamped_back_by_the_nominal_step() -> None:
    (frame,) = push(PolarH10Decoder(), notification([0] * 73, last_ns=10**18))
    assert frame.device_time_ns == 10**18 - round(72 * STEP_NS)
    assert frame.format.rate_hz == 130.0
    assert frame.counter is None


def test_step_is_measured_from_stamp_to_stamp() -> None:
    decoder = PolarH10Decoder()
    true_step_ns = STEP_NS * 1.013
    push(decoder, notification([0] * 73, last_ns=10**18))
    last_ns = 10**18 + round(73 * true_step_ns)
    (frame,) = push(decoder, notification([0] * 73, last_ns))
    assert frame.device_time_ns == pytest.approx(10**18 + true_step_ns, abs=2)


def test_step_is_not_measured_across_a_loss() -> None:
    decoder = PolarH10Decoder()
    push(decoder, notification([0] * 73, last_ns=10**18))
    last_ns = 10**18 + round(2 * 73 * STEP_NS)
    (frame,) = push(decoder, notification([0] * 73, last_ns))
    assert frame.device_time_ns == pytest.approx(last_ns - 72 * STEP_NS, abs=2)


def test_repeated_and_backward_stamps_are_passed_on() -> None:
    decoder = PolarH10Decoder()
    stamps = (10**18, 10**18, 10**17, 0, (1 << 64) - 1)
    times = [push(decoder, notification([1] * 73, ns))[0].device_time_ns for ns in stamps]
    assert times == [ns - round(72 * STEP_NS) for ns in stamps]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 10,
        notification([1, 2]) + b"\x00",
        notification([1, 2])[:-1],
        notification([1, 2], frame=0x80),
        notification([1, 2], frame=1),
    ],
    ids=["empty", "no samples", "odd end", "cut", "compressed", "type 1"],
)
def test_damaged_and_unknown_frames_are_counted_bad(data: bytes) -> None:
    decoder = PolarH10Decoder()
    assert push(decoder, data) == []
    assert decoder.count.bad_frames == 1
    assert decoder.count.skipped_bytes == decoder.count.bytes == len(data)


def test_other_measurements_are_skipped_not_bad() -> None:
    decoder = PolarH10Decoder()
    assert push(decoder, notification([1, 2], kind=2)) == []
    assert decoder.count.bad_frames == 0
    assert decoder.count.skipped_bytes == 16


@pytest.mark.parametrize(
    ("flags", "lead_off"), [(0x10, 0), (0x16, 0), (0x14, 1), (0x12, 0), (0x04, 1)]
)
def test_contact_counts_only_where_it_is_sensed(flags: int, lead_off: int) -> None:
    decoder = PolarH10Decoder()
    push(decoder, bytes([flags, 72]), HEART_RATE)
    assert push(decoder, notification([1]))[0].lead_off == lead_off


def test_battery_goes_with_the_frames() -> None:
    decoder = PolarH10Decoder()
    assert push(decoder, notification([1]))[0].battery_percent is None
    push(decoder, b"\x57", BATTERY_LEVEL)
    push(decoder, b"\xff", BATTERY_LEVEL)
    assert push(decoder, notification([1]))[0].battery_percent == 87
    assert decoder.count.bad_frames == 1


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("f0 02 00 0a", "MTU is too small"),
        ("f0 02 00 05 00", "a setting"),
        ("f0 02 00 63 00", "status 99"),
        ("01 00", "stopped the measurement"),
        ("0f 04 00", "offers no ECG"),
        ("f0 00 01 0a", "MTU is too small"),
        ("f0 01 00 0a 00", "MTU is too small"),
    ],
)
def test_refusals_are_told_in_words(reply: str, words: str) -> None:
    decoder = PolarH10Decoder()
    push(decoder, bytes.fromhex(reply), PMD_CONTROL)
    assert decoder.refusals == 1
    assert words in decoder.last_refusal


@pytest.mark.parametrize(
    "reply",
    [
        "f0 02 00 00 00 00",
        "f0 02 00 06 00",
        "f0 03 00 00 00",
        "f0 03 00 0c 00",
        "0f 05 00",
        "01 02",
        "01",
        "f0 01 00 00 00 00 01 82 00 01 01 0e 00",
    ],
)
def test_acceptance_is_no_refusal(reply: str) -> None:
    decoder = PolarH10Decoder()
    push(decoder, bytes.fromhex(reply), PMD_CONTROL)
    assert decoder.refusals == 0
    assert decoder.count.bad_frames == 0


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=60),
            st.sampled_from([PMD_DATA, PMD_CONTROL, HEART_RATE, BATTERY_LEVEL, "", "other"]),
        ),
        max_size=20,
    )
)
def test_nothing_that_arrives_raises_and_all_bytes_are_counted(
    packets: list[tuple[bytes, str]],
) -> None:
    decoder = PolarH10Decoder()
    frames = sum(len(push(decoder, data, channel)) for data, channel in packets)
    assert decoder.count.frames == frames
    assert decoder.count.bytes == sum(len(data) for data, _ in packets)
    assert push(decoder, notification([5]))[0].samples_uv[0, 0] == 5


def test_reset_forgets_the_clock_but_no_counts() -> None:
    decoder = PolarH10Decoder()
    push(decoder, notification([0] * 73, last_ns=10**18))
    push(decoder, notification([0] * 73, last_ns=10**18 + round(73 * STEP_NS * 1.02)))
    decoder.reset()
    (frame,) = push(decoder, notification([0] * 73, last_ns=10**18))
    assert frame.device_time_ns == 10**18 - round(72 * STEP_NS)
    assert decoder.count.frames == 3


def test_registry_makes_it_by_name() -> None:
    decoder = make_decoder("polar_h10")
    assert isinstance(decoder, PolarH10Decoder)
    assert isinstance(decoder, Decoder)
    assert isinstance(decoder, GattDevice)
    assert isinstance(decoder, Refusing)
    assert isinstance(decoder, Telling)
    assert decoder.start_commands() == (bytes.fromhex("02000001820001010e00"),)
    assert decoder.stop_commands() == (bytes.fromhex("0300"),)


def test_heart_rate_and_battery_are_told_besides() -> None:
    decoder = PolarH10Decoder()
    push(decoder, b"\x57", BATTERY_LEVEL)
    push(decoder, bytes.fromhex("10495e039603"), HEART_RATE)
    assert decoder.readings() == (HeartRate(73.0, (841.796875, 896.484375), None, 87),)
    assert decoder.readings() == ()


def test_lost_contact_holds_for_five_seconds_unless_told_again() -> None:
    decoder = PolarH10Decoder()
    push(decoder, b"\x04\x00", HEART_RATE)
    second = notification([1] * 130)
    assert [push(decoder, second)[0].lead_off for _ in range(7)] == [1, 1, 1, 1, 1, 0, 0]
    push(decoder, b"\x04\x00", HEART_RATE)
    assert push(decoder, second)[0].lead_off == 1


def test_contact_of_the_former_connection_is_forgotten() -> None:
    decoder = PolarH10Decoder()
    push(decoder, b"\x04\x00", HEART_RATE)
    assert push(decoder, notification([1]))[0].lead_off == 1
    decoder.reset()
    assert push(decoder, notification([1]))[0].lead_off == 0


@pytest.mark.parametrize("specimen", SPECIMENS, ids=["ecg", "ecg and movement"])
def test_a_session_loses_nothing(specimen: Specimen) -> None:
    decoder = make_decoder(specimen.device, **specimen.options)
    frames = [frame for packet in specimen.packets for frame in decoder.push(packet)]
    samples_uv = np.concatenate([frame.samples_uv for frame in frames])
    np.testing.assert_array_equal(samples_uv, specimen.samples_uv)
    assert decoder.count.bad_frames == decoder.count.skipped_bytes == 0
    assert {frame.battery_percent for frame in frames} == {87}


def test_movement_is_started_and_told_where_wanted() -> None:
    decoder = PolarH10Decoder(acc="200")
    start, stop = decoder.start_commands(), decoder.stop_commands()
    assert start[1] == bytes.fromhex("02 02 02 01 08 00 00 01 c8 00 01 01 10 00")
    assert stop == (bytes.fromhex("03 00"), bytes.fromhex("03 02"))
    for packet in SPECIMENS[1].packets:
        decoder.push(packet)
    told = [each for each in decoder.readings() if isinstance(each, Waveform)]
    assert len(told) == 6
    for each in told:
        assert (each.kind, each.unit, each.channels) == ("acc", "mg", ("x", "y", "z"))
        assert each.rate_hz == 200.0
        assert each.samples.tolist() == [list(row) for row in ACC_ROWS]


def test_the_example_of_the_specification_is_movement_in_mg() -> None:
    """Its text says -184 for 45 FF, which is -187."""
    decoder = PolarH10Decoder(acc=200)
    push(decoder, bytes.fromhex("02ea54a2428b4552080145ffe4ffb50345ffe4ffb803"))
    (told,) = decoder.readings()
    assert isinstance(told, Waveform)
    assert told.samples.tolist() == [[-187, -28, 949], [-187, -28, 952]]
    assert told.device_time_ns == 599618164814402794 - 5_000_000


def test_movement_that_is_refused_does_not_cost_the_ecg() -> None:
    decoder = PolarH10Decoder(acc=25)
    push(decoder, bytes.fromhex("f0 02 02 08 00"), PMD_CONTROL)
    assert decoder.refusals == 0
    assert decoder.last_refusal == "Polar H10 refused to start its movement sensor: rate"


def test_damaged_movement_is_bad_and_gives_no_samples() -> None:
    decoder = PolarH10Decoder(acc=25)
    push(decoder, bytes([2]) + bytes(8) + b"\x01" + bytes(7))
    assert decoder.count.bad_frames == 1
    assert decoder.readings() == ()


def test_readings_are_bounded() -> None:
    decoder = PolarH10Decoder()
    for k in range(1000):
        push(decoder, bytes([0, k % 256]), HEART_RATE)
    told = decoder.readings()
    assert len(told) == 256
    assert told[-1] == HeartRate(999 % 256)


@pytest.mark.parametrize("acc", ["1", "130", "fast", "", "-25"])
def test_a_rate_it_does_not_have_is_refused_by_name(acc: str) -> None:
    with pytest.raises(SourceUriError, match=r"polar_h10: acc must be .*25, 50, 100, 200"):
        make_decoder("polar_h10", acc=acc)
