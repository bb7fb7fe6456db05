"""ProtoCentral's OpenView boards: layouts, quirks, lead-off, readings and nonsense."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.protocentral import OpenViewDecoder
from firmware_bridge.devices.protocentral_boards import (
    Ads1292rDecoder,
    Ads1293Decoder,
    HealthyPi5Decoder,
    HealthyPiV4Decoder,
    Max30001Decoder,
    Max30003Decoder,
)
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import SerialDevice, Telling
from firmware_bridge.stream import Frame, HeartRate, Packet, Reading, Waveform
from tests.firmware_bridge.devices.protocentral_wire import (
    SPECIMENS,
    ads1292r_2026,
    ads1292r_classic,
    ads1293,
    healthypi5,
    healthypi5_batch,
    healthypi5_light,
    healthypi_v4,
    max30001,
    max30003,
    openview,
    packed_left,
)
from tests.firmware_bridge.devices.specimen import Specimen

BOARDS = ("ads1292r", "ads1293", "healthypi5", "healthypi_v4", "max30001", "max30003")


def push(decoder: OpenViewDecoder, *wires: bytes) -> list[Frame]:
    return [frame for wire in wires for frame in decoder.push(Packet(wire, 0))]


def microvolts(frames: Iterable[Frame]) -> list[float]:
    return [value for frame in frames for value in frame.samples_uv.ravel().tolist()]


def waveforms(told: Iterable[Reading]) -> list[Waveform]:
    return [reading for reading in told if isinstance(reading, Waveform)]


def test_a_packet_by_the_table_decodes() -> None:
    wire = bytes.fromhex(
        "0AFA 1400 02 0001 0500 10270000 204E0000 420E 0F 62 48 50 78 00 000B".replace(" ", "")
    )
    (frame,) = push(HealthyPiV4Decoder(), wire)
    assert frame.samples_uv.shape == (1, 1)
    assert frame.samples_uv[0, 0] == pytest.approx(256 * 4 * 12.309, rel=1e-4)
    assert (frame.counter, frame.device_time_ns, frame.lead_off) == (None, None, 0)


@pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda each: each.device)
def test_sessions_decode_whatever_the_chunks(specimen: Specimen) -> None:
    wire = b"".join(packet.data for packet in specimen.packets)
    whole, bytewise = make_decoder(specimen.device), make_decoder(specimen.device)
    frames = whole.push(Packet(wire, 0))
    pieces = [frame for byte in wire for frame in bytewise.push(Packet(bytes([byte]), 0))]
    assert whole.count == bytewise.count
    assert (whole.count.bad_frames, whole.count.skipped_bytes) == (0, 0)
    for given_frames in (frames, pieces):
        samples = np.concatenate([frame.samples_uv for frame in given_frames])
        np.testing.assert_allclose(samples, specimen.samples_uv, atol=1e-3)
        assert {frame.format.leads for frame in given_frames} == {specimen.leads}


@pytest.mark.parametrize("name", ["ads1293", "healthypi5"])
@settings(max_examples=30)
@given(noise=st.binary(max_size=200))
def test_noise_is_counted_and_the_next_packets_decode(name: str, noise: bytes) -> None:
    decoder = make_decoder(name)
    session = next(each for each in SPECIMENS if each.device == name)
    push(decoder, noise, *(packet.data for packet in session.packets * 10))  # type: ignore[arg-type]
    count = decoder.count
    assert count.frames >= 5
    assert count.skipped_bytes <= count.bytes


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_names_its_port_and_tells_readings(name: str) -> None:
    decoder = make_decoder(name)
    assert isinstance(decoder, SerialDevice)
    assert isinstance(decoder, Telling)
    assert decoder.serial.baud in (57_600, 115_200)
    assert decoder.start_commands() == decoder.stop_commands() == ()


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize(("option", "value"), [("rate", "fast"), ("uv_per_lsb", "-3")])
def test_options_must_be_numbers_above_0(name: str, option: str, value: str) -> None:
    with pytest.raises(SourceUriError, match=f"{name}: {option} must be a number above 0"):
        make_decoder(name, **{option: value})


def test_options_come_from_text() -> None:
    decoder = make_decoder("max30003", rate="121.5", uv_per_lsb="2")
    (frame,) = decoder.push(Packet(max30003(packed_left(-3)), 0))
    assert frame.format.rate_hz == 121.5
    assert frame.samples_uv.tolist() == [[-6.0]]


@pytest.mark.parametrize(
    "wire",
    [
        healthypi_v4(7)[:-1] + b"\x0c",  # footer
        openview(bytes(21)),  # length
        openview(bytes(20), kind=9),  # type
        max30001(7),  # another board
    ],
)
def test_a_packet_of_the_wrong_shape_is_bad(wire: bytes) -> None:
    decoder = HealthyPiV4Decoder()
    assert push(decoder, wire, healthypi_v4(1))
    assert decoder.count.bad_frames == 1
    assert decoder.count.skipped_bytes == len(wire)


def test_a_packet_cut_short_costs_itself_alone() -> None:
    decoder = HealthyPiV4Decoder()
    frames = push(decoder, healthypi_v4(1), healthypi_v4(2)[:11], healthypi_v4(3), healthypi_v4(4))
    assert len(frames) == 3
    assert decoder.count.skipped_bytes == 11


def test_reset_forgets_half_a_packet() -> None:
    decoder = HealthyPiV4Decoder()
    push(decoder, healthypi_v4(1)[:20])
    decoder.reset()
    assert len(push(decoder, healthypi_v4(2))) == 1
    assert decoder.count.skipped_bytes == 20


def test_electrodes_off_on_a_healthypi_v4() -> None:
    decoder = HealthyPiV4Decoder()
    off, flat, on = push(
        decoder,
        healthypi_v4(0, status=0x1F),
        healthypi_v4(0, status=0xC0),
        healthypi_v4(3, status=0xC0),
    )
    assert [frame.lead_off for frame in (off, flat, on)] == [1, 0, 0]


def test_a_second_of_zeros_is_no_contact_on_an_ads1292r() -> None:
    decoder = Ads1292rDecoder(rate=5)
    frames = push(decoder, *[ads1292r_2026(0)] * 6, ads1292r_2026(1), ads1292r_2026(0))
    assert [frame.lead_off for frame in frames] == [0, 0, 0, 0, 1, 1, 0, 0]


def test_both_libraries_of_the_ads1292r_have_their_scale() -> None:
    frames = push(Ads1292rDecoder(), ads1292r_classic(100), ads1292r_2026(100))
    assert microvolts(frames) == pytest.approx([4923.6, 76.93], rel=1e-3)


@pytest.mark.parametrize(
    ("code", "uv"),
    [(0x400000, 0.0), (0, -685_714.3), (0x800000, 685_714.3), (0x400001, 0.16349)],
)
def test_the_ads1293_counts_from_0_with_0_volts_in_the_middle(code: int, uv: float) -> None:
    (frame,) = push(Ads1293Decoder(), ads1293([code, 0x400000, 0x400000]))
    assert frame.samples_uv[0].tolist() == pytest.approx([uv, 0, 0], rel=1e-4)


def test_a_code_beyond_full_scale_is_bad() -> None:
    decoder = Ads1293Decoder()
    assert push(decoder, ads1293([0x800001, 0, 0])) == []
    assert decoder.count.bad_frames == 1


@settings(max_examples=30)
@given(codes=st.lists(st.integers(-(1 << 17), (1 << 17) - 1), min_size=1, max_size=20))
def test_the_max30003_keeps_all_18_bits_of_a_wrongly_packed_count(codes: list[int]) -> None:
    decoder = Max30003Decoder(uv_per_lsb=1)
    assert microvolts(push(decoder, *(max30003(packed_left(code)) for code in codes))) == codes


def test_the_upper_16_bits_of_a_max30003_have_1_526_microvolts() -> None:
    (frame,) = push(Max30003Decoder(), max30003(1 << 16))
    assert frame.samples_uv[0, 0] == pytest.approx(1.526, rel=1e-3)


def test_impossible_values_of_a_max30003_are_bad() -> None:
    decoder = Max30003Decoder()
    wires = (max30003(0x0100), openview(bytes(6) + b"\x01" + bytes(5)))
    assert push(decoder, *wires) == []
    assert decoder.count.bad_frames == 2


def test_the_sketch_of_17_bytes_is_understood() -> None:
    decoder = Max30003Decoder(uv_per_lsb=1)
    assert microvolts(push(decoder, max30003(packed_left(-77), pad=bytes(5)))) == [-77]


@settings(max_examples=30)
@given(codes=st.lists(st.integers(-(1 << 17), (1 << 17) - 1), max_size=20))
def test_the_max30001_tells_its_two_packings_apart(codes: list[int]) -> None:
    right, left = Max30001Decoder(uv_per_lsb=1), Max30001Decoder(uv_per_lsb=1)
    clear = 0x1234  # a count that can be packed in one way only
    wires = [max30001(code) for code in (clear, *codes)]
    assert microvolts(push(right, *wires)) == [clear, *codes]
    wires = [max30001(packed_left(code)) for code in (clear, *codes)]
    assert microvolts(push(left, *wires)) == [clear, *codes]


def test_a_count_that_is_packed_in_no_way_is_bad() -> None:
    decoder = Max30001Decoder()
    assert push(decoder, max30001(1 << 20 | 1 << 5)) == []
    assert decoder.count.bad_frames == 1


def test_a_batch_of_the_healthypi5_is_one_frame() -> None:
    decoder = HealthyPi5Decoder()
    batch, single = push(decoder, healthypi5_batch(range(8)), healthypi5(8))
    assert batch.samples_uv.shape == (8, 1)
    assert single.samples_uv.shape == (1, 1)
    assert microvolts([batch, single]) == pytest.approx([n * 0.0953674 for n in range(9)], abs=1e-4)


def test_a_batch_cut_short_is_bad_and_costs_itself_alone() -> None:
    decoder = HealthyPi5Decoder()
    whole = healthypi5_batch(range(8))
    short = whole[:5] + whole[9:]  # seven samples in a packet that says eight
    assert len(push(decoder, whole, short, whole, whole)) == 3
    assert (decoder.count.bad_frames, decoder.count.skipped_bytes) == (1, len(short))


def test_light_and_breathing_come_in_blocks_of_a_second() -> None:
    decoder = HealthyPi5Decoder()
    wires = [healthypi5(0, bioz=n, skip=bool(n % 2)) for n in range(128)]
    push(decoder, *wires)
    resp, light = waveforms(decoder.readings())
    assert (resp.kind, resp.channels, resp.rate_hz) == ("resp", ("bioz",), 64.0)
    assert resp.samples.ravel().tolist() == list(range(0, 128, 2))
    assert (light.kind, light.channels, light.samples.shape) == ("ppg", ("red", "ir"), (128, 2))
    assert light.samples[5].tolist() == [500, 600]


def test_light_packets_carry_no_ecg() -> None:
    decoder = HealthyPi5Decoder()
    assert push(decoder, *[healthypi5_light(range(8))] * 13) == []
    (light,) = waveforms(decoder.readings())
    assert light.samples.shape == (104, 1)
    assert decoder.count.frames == 0
    assert decoder.count.bad_frames == 0


def test_a_heart_rate_is_told_when_it_changes_and_once_a_second() -> None:
    decoder = HealthyPiV4Decoder()
    push(decoder, *[healthypi_v4(1, bpm=72)] * 260, healthypi_v4(1, bpm=80))
    rates = [each.bpm for each in decoder.readings() if isinstance(each, HeartRate)]
    assert rates == [72, 72, 72, 80]


def test_intervals_are_told_once_each() -> None:
    decoder = Max30003Decoder()
    wires = [*[max30003(0, rr_ms=820)] * 3, max30003(0, rr_ms=790), max30003(0, 0, bpm=65535)]
    push(decoder, *wires)
    told = [each for each in decoder.readings() if isinstance(each, HeartRate)]
    assert [(each.bpm, each.rr_ms) for each in told] == [(73, (820.0,)), (73, (790.0,)), (0, ())]


def test_readings_are_bounded() -> None:
    decoder = HealthyPiV4Decoder()
    push(decoder, *(healthypi_v4(1, bpm=60 + n % 2) for n in range(600)))
    assert len(decoder.readings()) == 256
    assert decoder.readings() == ()
