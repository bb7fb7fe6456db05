"""AD8232 sketches: numbers, volts, contact, clocks, and lines that are none of these."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.ad8232 import LINE_MAX_BYTES, Ad8232Decoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import Decoder, SerialDevice
from firmware_bridge.stream import Frame, Packet
from firmware_bridge.timeline import Timeline
from tests.firmware_bridge.devices.ad8232_wire import printed

LSB_UV = 5e6 / 1024 / 1100


def push(decoder: Ad8232Decoder, data: bytes) -> list[Frame]:
    return decoder.push(Packet(data, 0))


def told(frames: list[Frame]) -> list[tuple[float, int]]:
    """Every sample with its contact."""
    return [(float(uv), frame.lead_off) for frame in frames for uv in frame.samples_uv[:, 0]]


def decoded(*lines: object, **options: object) -> list[tuple[float, int]]:
    return told(make_decoder("ad8232", **options).push(Packet(printed(*lines), 0)))


def test_it_is_all_that_it_says() -> None:
    decoder = Ad8232Decoder()
    assert isinstance(decoder, Decoder)
    assert isinstance(decoder, SerialDevice)
    assert (decoder.serial.baud, decoder.serial.settle_s) == (9600, 2.0)
    assert decoder.start_commands() == decoder.stop_commands() == ()


@pytest.mark.parametrize(
    ("vref", "bits", "lsb_uv"), [("5", "10", 4.439), ("3.3", "10", 2.930), ("3.3", "12", 0.732)]
)
def test_one_step_of_the_converter(vref: str, bits: str, lsb_uv: float) -> None:
    middle = 1 << int(bits) - 1
    samples = decoded(middle, middle + 1, 0, vref=vref, bits=bits)
    assert samples[0] == (0.0, 0)
    assert samples[1][0] == pytest.approx(lsb_uv, abs=5e-4)
    assert samples[2][0] == pytest.approx(-middle * lsb_uv, rel=1e-3)


def test_volts_are_told_by_their_decimal_point() -> None:
    samples = decoded("1.65", "2.65", "0.00", "3.31", "2.", vref=3.3, bits=12)
    expected = [0.0, 1e6 / 1100, -1.65e6 / 1100, 0.35e6 / 1100]
    assert [uv for uv, _ in samples] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("off", ["!", "", " "])
def test_no_contact_is_a_sample_of_0_with_lead_off(off: str) -> None:
    samples = decoded(600, off, off, 512)
    expected = [(88 * LSB_UV, 0), (0.0, 1), (0.0, 1), (0.0, 0)]
    assert np.array(samples) == pytest.approx(np.array(expected), abs=1e-3)


def test_contact_in_a_column() -> None:
    samples = decoded("513,0", "1023,1", "512 , 0", "!,1", "511", columns="value,leadoff")
    expected = [(LSB_UV, 0), (511 * LSB_UV, 1), (0.0, 0), (0.0, 1)]
    assert np.array(samples) == pytest.approx(np.array(expected), abs=1e-3)


def test_the_first_line_after_opening_is_dropped() -> None:
    decoder = Ad8232Decoder()
    assert told(push(decoder, b"12\r\n512\r\n")) == [(0.0, 0)]
    assert (decoder.count.bad_frames, decoder.count.skipped_bytes) == (0, 4)
    push(decoder, b"9" * 500)
    decoder.reset()
    assert told(push(decoder, b"9" * 500 + b"\r\n512\r\n")) == [(0.0, 0)]
    assert (decoder.count.bad_frames, decoder.count.skipped_bytes) == (0, 4 + 500 + 502)
    decoder.reset()
    assert told(push(decoder, b"2\r\n512\r\n")) == [(0.0, 0)]


BAD = ["x", "1024", "-5", "1e3", "nan", "5.01", "0x10", "5 1", "1,2", "5" * 70, "٣", "1_0"]


@pytest.mark.parametrize("line", BAD)
def test_other_lines_are_bad_and_cost_only_themselves(line: str) -> None:
    decoder = Ad8232Decoder()
    assert told(push(decoder, printed(512, line, 512))) == [(0.0, 0), (0.0, 0)]
    assert decoder.count.bad_frames == 1
    assert decoder.count.frames == 2
    assert decoder.count.skipped_bytes == 4 + len(f"{line}\r\n".encode())


LINES = st.sampled_from(["512", "0", "1023", "1024", "!", "", "2.5", "x", "9" * 90, "77", "5\r"])


@given(st.lists(LINES, max_size=30), st.lists(st.integers(1, 40), max_size=60))
def test_any_chunking_gives_the_same_samples_and_counts(lines: list[str], sizes: list[int]) -> None:
    wire = printed(*lines)
    whole, cut = Ad8232Decoder(), Ad8232Decoder()
    expected = told(push(whole, wire))
    frames, at = [], 0
    for size in sizes:
        frames += push(cut, wire[at : at + size])
        at += size
    frames += push(cut, wire[at:])
    assert told(frames) == expected
    assert cut.count == whole.count


def test_a_line_without_end_is_bounded() -> None:
    decoder = Ad8232Decoder()
    push(decoder, printed())
    for _ in range(1000):
        push(decoder, b"7" * 1000)
    assert len(decoder._pending) <= LINE_MAX_BYTES + 1
    assert told(push(decoder, b"\r\n512\r\n")) == [(0.0, 0)]
    assert decoder.count.bad_frames == 1
    assert decoder.count.skipped_bytes == 4 + 1_000_002


def test_the_boards_clock_tells_what_is_missing() -> None:
    decoder, timeline = Ad8232Decoder(columns="millis,value", rate=250), Timeline()
    stamps = [k * 4 for k in range(500) if not 100 <= k < 130]
    for at in range(0, len(stamps), 25):
        wire = "".join(f"{ms},512\r\n" for ms in stamps[at : at + 25]).encode()
        for frame in push(decoder, (printed() if at == 0 else b"") + wire):
            timeline.push(frame, stamps[at] * 1_000_000)
    assert timeline.count.gap == 30
    assert timeline.count.delivered == 470
    assert timeline.count.duplicate == 0


@given(st.lists(st.integers(-1, 1), min_size=200, max_size=200), st.integers(1, 40))
@settings(max_examples=25)
def test_a_jittering_clock_makes_no_gap(jitter_ms: list[int], lines: int) -> None:
    decoder, timeline = Ad8232Decoder(columns="millis,value"), Timeline()
    push(decoder, printed())
    stamps = [10 + 5 * k + jitter for k, jitter in enumerate(jitter_ms)]
    for at in range(0, len(stamps), lines):
        wire = "".join(f"{ms},512\r\n" for ms in stamps[at : at + lines]).encode()
        for frame in push(decoder, wire):
            timeline.push(frame, stamps[at] * 1_000_000)
    assert timeline.count.gap == timeline.count.duplicate == 0
    assert timeline.count.delivered == 200


def test_the_boards_clock_wraps_after_49_days() -> None:
    wrap = 1 << 32
    stamps = [wrap - 10, wrap - 5, 0, 5]
    decoder = Ad8232Decoder(columns="millis,value")
    (frame,) = push(decoder, printed(*(f"{ms},512" for ms in stamps)))
    assert frame.device_time_ns == (wrap - 10) * 1_000_000
    (frame,) = push(decoder, b"10,512\r\n")
    assert frame.device_time_ns == (wrap + 10) * 1_000_000


def test_a_board_that_restarts_begins_its_clock_anew() -> None:
    frames = push(
        Ad8232Decoder(columns="millis,value"), printed("90000,512", "90005,512", "3,512", "8,512")
    )
    assert [frame.device_time_ns for frame in frames] == [90_000_000_000, 3_000_000]


def test_lines_without_a_stamp_follow_the_one_before() -> None:
    frames = push(Ad8232Decoder(columns="millis,value"), printed("!", "!", "100,512", "!", "105,!"))
    assert told(frames) == [(0.0, 1), (0.0, 1), (0.0, 0), (0.0, 1), (0.0, 1)]
    assert [frame.device_time_ns for frame in frames] == [0, 10_000_000, 15_000_000]


@pytest.mark.parametrize("line", ["4294967296,512", "512", "x,512", "5,5,5", "99999999999,1"])
def test_a_stamp_that_cannot_be_is_bad(line: str) -> None:
    decoder = Ad8232Decoder(columns="millis,value")
    assert push(decoder, printed(line)) == []
    assert decoder.count.bad_frames == 1


@given(st.lists(st.binary(max_size=100), max_size=10), st.sampled_from(["value", "millis,value"]))
def test_any_bytes_are_survived_and_counted(reads: list[bytes], columns: str) -> None:
    decoder = Ad8232Decoder(columns=columns)
    for data in reads:
        for frame in push(decoder, data):
            assert np.isfinite(frame.samples_uv).all()
    decoder.reset()
    count = decoder.count
    assert count.bytes == sum(map(len, reads))
    assert count.skipped_bytes <= count.bytes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": "volts"}, "columns must be one of value, value,leadoff, millis,value"),
        ({"bits": "30"}, "bits must be a whole number from 8 to 24"),
        ({"rate": "fast"}, "rate must be a number above 0"),
        ({"gain": "0"}, "gain must be a number above 0"),
        ({"vref": "-5"}, "vref must be a number above 0"),
    ],
)
def test_options_name_what_is_allowed(options: dict[str, object], words: str) -> None:
    with pytest.raises(SourceUriError, match=words):
        make_decoder("ad8232", **options)
