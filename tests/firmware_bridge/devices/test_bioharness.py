"""The BioHarness 3: framing, counter, clock, readings, refusals and nonsense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.bioharness import BioHarnessDecoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import Conversing, Refusing, SerialDevice, Telling
from firmware_bridge.stream import Chunk, Frame, Gap, HeartRate, Packet, Waveform
from firmware_bridge.timeline import Timeline
from tests.firmware_bridge.devices.bioharness_wire import (
    MIDNIGHT_MS,
    SPECIMENS,
    ecg,
    intervals,
    message,
    packed,
    stamp,
    summary,
)

FLAT = [512] * 63
PACKET_MS = 252


def push(decoder: BioHarnessDecoder, *wires: bytes) -> list[Frame]:
    return [frame for wire in wires for frame in decoder.push(Packet(wire, 0))]


def test_commands_are_those_of_the_protocol() -> None:
    decoder = BioHarnessDecoder(also="rr,summary,breathing,accel")
    assert [command.hex() for command in decoder.start_commands()] == [
        "021601015e03",
        "021901015e03",
        "02bd020100" + "c4" + "03",
        "021501015e03",
        "021e01015e03",
    ]
    assert [command[1:4].hex() for command in decoder.stop_commands()] == [
        *("160100", "190100", "bd0200", "150100", "1e0100")
    ]
    assert isinstance(decoder, Conversing)
    assert decoder.keep_alive_commands() == (bytes.fromhex("0223000003"),)
    assert 0 < decoder.keep_alive_s < 10
    assert decoder.replies() == ()


def test_a_session_decodes_whatever_the_chunks() -> None:
    (specimen,) = SPECIMENS
    wire = b"".join(packet.data for packet in specimen.packets)
    whole, bytewise = BioHarnessDecoder(), BioHarnessDecoder()
    frames = whole.push(Packet(wire, 0))
    pieces = push(bytewise, *(bytes([byte]) for byte in wire))
    assert whole.count == bytewise.count
    assert whole.count.skipped_bytes == 0
    for one, other in zip(frames, pieces, strict=True):
        assert one.samples_uv.tolist() == other.samples_uv.tolist()
        assert (one.counter, one.device_time_ns) == (other.counter, other.device_time_ns)
    samples = np.concatenate([frame.samples_uv for frame in frames])
    np.testing.assert_allclose(samples, specimen.samples_uv, atol=1e-3)


def test_samples_of_10_bits_lie_least_significant_bit_first() -> None:
    payload = stamp(0, 0) + bytes.fromhex("0106100020") + bytes(74)
    (frame,) = push(BioHarnessDecoder(uv_per_lsb=1), message(0x22, payload))
    assert (frame.samples_uv[:5, 0] + 512).tolist() == [513, 1, 1, 128, 0]


@settings(max_examples=30)
@given(samples=st.binary(min_size=79, max_size=79))
def test_every_10_bit_value_survives(samples: bytes) -> None:
    bits = int.from_bytes(samples, "little")
    (frame,) = push(BioHarnessDecoder(uv_per_lsb=1), message(0x22, stamp(0, 0) + samples))
    assert (frame.samples_uv[:, 0] + 512).tolist() == [bits >> 10 * k & 1023 for k in range(63)]


def test_the_sequence_is_the_counter() -> None:
    frames = push(BioHarnessDecoder(), ecg(255, FLAT), ecg(0, FLAT))
    assert [frame.counter for frame in frames] == [255 * 63, 0]
    assert {frame.counter_modulus for frame in frames} == {256 * 63}


def clock_ms(frames: list[Frame]) -> list[float]:
    times = [frame.device_time_ns for frame in frames if frame.device_time_ns is not None]
    return [(time - times[0]) / 1e6 for time in times]


def test_jitter_of_the_stamps_is_smoothed() -> None:
    jitter_ms = [0, 7, -7, 7, -7, 7, -7, 0]
    wires = [ecg(n, FLAT, 1000 + n * PACKET_MS + jitter_ms[n]) for n in range(8)]
    steps_ms = np.diff(clock_ms(push(BioHarnessDecoder(), *wires)))
    assert np.abs(steps_ms - PACKET_MS).max() < 1


def test_the_clock_follows_drift_and_loss() -> None:
    drifting = [ecg(n, FLAT, round(n * PACKET_MS * 1.001)) for n in range(200)]
    times_ms = clock_ms(push(BioHarnessDecoder(), *drifting))
    assert times_ms[-1] == pytest.approx(199 * PACKET_MS * 1.001, abs=8)
    lost = [ecg(n, FLAT, n * PACKET_MS) for n in (0, 1, 5, 6)]
    assert clock_ms(push(BioHarnessDecoder(), *lost)) == [
        0,
        PACKET_MS,
        5 * PACKET_MS,
        6 * PACKET_MS,
    ]


def test_midnight_is_a_moment_like_any_other() -> None:
    start_ms = MIDNIGHT_MS - 2 * PACKET_MS
    wires = [ecg(n, FLAT, start_ms + n * PACKET_MS, day=3) for n in (0, 1)]
    wires += [ecg(n, FLAT, (n - 2) * PACKET_MS, day=4) for n in (2, 3)]
    assert clock_ms(push(BioHarnessDecoder(), *wires)) == [n * PACKET_MS for n in range(4)]


def test_a_date_that_is_none_leaves_the_time_of_the_day() -> None:
    (frame,) = push(BioHarnessDecoder(), message(0x22, bytes(5) + b"\xe8\x03\0\0" + bytes(79)))
    assert frame.device_time_ns == 1_000_000_000


def test_a_loss_longer_than_the_counter_shows_in_its_full_length() -> None:
    timeline, decoder = Timeline(reorder_frames=0), BioHarnessDecoder()
    events = []
    for number in (0, 1, 2, 2 + 256 + 1):
        (frame,) = push(decoder, ecg(number % 256, FLAT, number * PACKET_MS))
        events += timeline.push(frame, number * PACKET_MS * 1_000_000)
    gaps = [event.length for event in events if isinstance(event, Gap)]
    assert gaps == [256 * 63]
    assert sum(isinstance(event, Chunk) for event in events) == 4


def test_heart_rate_and_battery_come_from_the_summary() -> None:
    decoder = BioHarnessDecoder()
    assert isinstance(decoder, Telling)
    push(decoder, summary(0, 66, 80), summary(1, 65535, 255))
    (frame,) = push(decoder, ecg(0, FLAT))
    assert frame.battery_percent == 80
    assert decoder.readings() == (
        HeartRate(66.0, (), None, 80),
        HeartRate(0.0, (), None, 80),
    )


def test_an_interval_is_told_when_its_sign_turns() -> None:
    decoder = BioHarnessDecoder()
    push(decoder, intervals(0, [800] * 10 + [-810] * 8))
    push(decoder, intervals(1, [-810] * 6 + [790] * 11 + [-805]))
    told = [each for each in decoder.readings() if isinstance(each, HeartRate)]
    assert [each.rr_ms for each in told] == [(810.0,), (790.0, 805.0)]
    assert told[1].bpm == pytest.approx(120_000 / 1595)


def test_breathing_and_movement_come_as_readings() -> None:
    decoder = BioHarnessDecoder()
    breathing = stamp(0, 5) + packed([512 + n for n in range(18)], 23)
    movement = stamp(0, 5) + packed([512, 533, 491] * 20, 75)
    push(decoder, message(0x21, breathing), message(0x25, movement))
    resp, acc = decoder.readings()
    assert isinstance(resp, Waveform)
    assert isinstance(acc, Waveform)
    assert (resp.kind, resp.rate_hz, resp.samples.ravel().tolist()) == ("resp", 18.0, [*range(18)])
    assert (acc.unit, acc.rate_hz, acc.samples.shape) == ("mg", 50.0, (20, 3))
    assert acc.samples[0].tolist() == pytest.approx([0, 1012, -1012], abs=1)


def test_a_refused_command_is_named() -> None:
    decoder = BioHarnessDecoder()
    assert isinstance(decoder, Refusing)
    push(decoder, message(0x16, b"", 0x06))
    assert (decoder.refusals, decoder.last_refusal) == (0, "")
    push(decoder, message(0x16, b"", 0x15))
    assert (decoder.refusals, decoder.last_refusal) == (1, "BioHarness refused to switch ECG")


@settings(max_examples=60)
@given(at=st.integers(0, 92), value=st.integers(1, 255))
def test_an_altered_byte_never_yields_a_sample(at: int, value: int) -> None:
    wire = bytearray(ecg(7, range(63)))
    wire[at] ^= value
    decoder = BioHarnessDecoder()
    frames = push(decoder, bytes(wire), ecg(8, FLAT), *[bytes(8)] * 20)
    expected = [7 * 63] * (at == 92 and wire[92] in (0x06, 0x15)) + [8 * 63]
    assert [frame.counter for frame in frames] == expected


@settings(max_examples=50)
@given(noise=st.binary(max_size=300))
def test_noise_is_skipped(noise: bytes) -> None:
    decoder = BioHarnessDecoder()
    push(decoder, noise, *(ecg(n, FLAT) for n in range(5)))
    assert decoder.count.frames >= 3
    assert decoder.count.skipped_bytes <= decoder.count.bytes


def test_reset_forgets_half_a_message_and_the_clock() -> None:
    decoder = BioHarnessDecoder()
    push(decoder, ecg(0, FLAT, 1000), ecg(1, FLAT)[:40])
    decoder.reset()
    (frame,) = push(decoder, ecg(1, FLAT, 1259))
    assert decoder.count.skipped_bytes == 40
    assert frame.device_time_ns is not None
    assert frame.device_time_ns % 1_000_000_000 == 259_000_000


def test_options_are_checked() -> None:
    assert isinstance(make_decoder("bioharness", also=""), SerialDevice)
    with pytest.raises(
        SourceUriError, match="also must be one of rr, summary, breathing, accel, but is 'spo2'"
    ):
        make_decoder("bioharness", also="rr,spo2")
    with pytest.raises(SourceUriError, match="uv_per_lsb must be a number above 0"):
        make_decoder("bioharness", uv_per_lsb="-1")
