"""Polar's optical armbands: their conversation, light, movement, intervals, and nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.polar_optical import PolarOh1Decoder, PolarVerityDecoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import Conversing, Decoder, GattDevice, Refusing, Telling
from firmware_bridge.stream import HeartRate, Packet, Reading, Waveform
from tests.firmware_bridge.devices.heart_rate_wire import BATTERY_LEVEL, HEART_RATE
from tests.firmware_bridge.devices.pmd_encoder import acc_frame, ppg_frame, ppi_frame
from tests.firmware_bridge.devices.polar_h10_wire import PMD_CONTROL, PMD_DATA
from tests.firmware_bridge.devices.polar_optical_wire import (
    ACC_ROWS,
    FEATURES,
    PLAIN_ROWS,
    PPG_BLOCKS,
    PPG_ROWS,
    SPECIMENS,
    answer,
)
from tests.firmware_bridge.devices.specimen import Specimen

Armband = PolarVerityDecoder | PolarOh1Decoder
CHANNELS = [PMD_DATA, PMD_CONTROL, HEART_RATE, BATTERY_LEVEL, "", "other"]
FULL_PPG = bytes.fromhex("00 05 1c 00 2c 00 37 00 87 00 b0 00 01 01 16 00 04 01 04")
"""Rates of a Verity Sense in SDK mode."""


def push(decoder: Armband, data: bytes, channel: str = PMD_DATA) -> None:
    assert decoder.push(Packet(data, 0, channel)) == []


def hear(decoder: Armband, reply: str) -> tuple[bytes, ...]:
    push(decoder, bytes.fromhex(reply), PMD_CONTROL)
    return decoder.replies()


def converse(decoder: Armband) -> list[str]:
    """All commands of a start that the armband accepts."""
    sent, due = [], list(decoder.start_commands())
    while due:
        command = due.pop(0)
        sent.append(command.hex(" "))
        for packet in answer(command):
            decoder.push(packet)
        due += decoder.replies()
    return sent


def told_by(decoder: Armband, data: bytes) -> Reading:
    push(decoder, data)
    (told,) = decoder.readings()
    return told


def test_start_asks_for_settings_before_it_starts_each() -> None:
    decoder = PolarVerityDecoder(acc=52, ppi=True)
    assert converse(decoder) == [
        "01 01",
        "02 01 00 01 87 00 01 01 16 00 04 01 04",
        "01 02",
        "02 02 00 01 34 00 01 01 10 00 02 01 08 00 04 01 03",
        "02 03",
    ]
    assert decoder.replies() == ()
    assert [each.hex(" ") for each in decoder.stop_commands()] == ["03 03", "03 02", "03 01"]
    assert decoder.refusals == 0


def test_older_firmware_says_135_hz_and_sends_55() -> None:
    decoder = PolarVerityDecoder()
    converse(decoder)
    told = told_by(decoder, ppg_frame(PPG_ROWS, 10**9))
    assert isinstance(told, Waveform)
    assert told.rate_hz == 55.0


def test_newer_firmware_is_asked_for_the_rate_it_offers() -> None:
    decoder = PolarVerityDecoder()
    start = hear(decoder, "f0 01 01 00 00 00 01 37 00 01 01 16 00 04 01 04")
    assert start == (bytes.fromhex("02 01 00 01 37 00 01 01 16 00 04 01 04"),)


def test_oh1_says_130_hz_and_sends_135() -> None:
    decoder = PolarOh1Decoder()
    start = hear(decoder, "f0 01 01 00 00 00 01 82 00 01 01 16 00 04 01 04")
    assert start == (bytes.fromhex("02 01 00 01 82 00 01 01 16 00 04 01 04"),)
    told = told_by(decoder, ppg_frame(PPG_ROWS[:18], 10**9))
    assert isinstance(told, Waveform)
    assert told.rate_hz == 135.0


def test_other_rates_need_sdk_mode() -> None:
    decoder = PolarVerityDecoder(ppg="135", acc="208")
    assert decoder.start_commands() == (bytes.fromhex("02 09"),)
    assert hear(decoder, "f0 02 09 00 00") == (bytes.fromhex("01 01"),)
    (start,) = hear(decoder, "f0 01 01 00 00" + FULL_PPG.hex())
    assert start == bytes.fromhex("02 01 00 01 87 00 01 01 16 00 04 01 04")
    told = told_by(decoder, ppg_frame(PPG_ROWS, 10**9))
    assert isinstance(told, Waveform)
    assert told.rate_hz == 135.0
    assert decoder.stop_commands()[-1] == bytes.fromhex("03 09")


def test_settings_in_several_parts_are_put_together() -> None:
    decoder = PolarVerityDecoder()
    assert hear(decoder, "f0 01 01 00 01" + FULL_PPG[:7].hex()) == ()
    (start,) = hear(decoder, "f0 01 01 00 00" + FULL_PPG[7:].hex())
    assert start == bytes.fromhex("02 01 00 01 37 00 01 01 16 00 04 01 04")


def test_settings_that_never_end_do_not_grow() -> None:
    decoder = PolarVerityDecoder()
    for _ in range(100):
        assert hear(decoder, "f0 01 01 00 01" + FULL_PPG.hex()) == ()
    assert len(hear(decoder, "f0 01 01 00 00")) == 1


def test_each_step_is_given_once_and_forgotten_with_the_connection() -> None:
    decoder = PolarVerityDecoder()
    push(decoder, bytes.fromhex("f0 01 01 00 00") + FULL_PPG, PMD_CONTROL)
    decoder.reset()
    assert decoder.replies() == ()


def test_a_start_repeated_while_it_streams_goes_on_to_the_next() -> None:
    decoder = PolarVerityDecoder(ppi="on")
    assert hear(decoder, "f0 02 01 06 00") == (bytes.fromhex("02 03"),)
    assert decoder.refusals == 0


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("f0 01 01 03 00", "Polar Verity Sense refused to start light: it does not support this"),
        ("f0 02 01 0d 00", "refused to start light: it is in its charger"),
        ("f0 02 02 08 00", "refused to start movement: rate"),
        ("f0 01 01 00 00", "names no rate for light"),
        ("f0 01 01 00 00 00 01 00 00", "names no rate for light"),
        ("0f 04 00", "offers no light"),
        ("01 01", "stopped light by itself"),
    ],
)
def test_refusals_are_told_in_words(reply: str, words: str) -> None:
    decoder = PolarVerityDecoder(acc=52)
    assert hear(decoder, reply) == ()
    assert decoder.refusals == 1
    assert words in decoder.last_refusal


@pytest.mark.parametrize("reply", ["f0 03 01 0c 00", "0f 6e 02", "01 05", "f0 02 05 00 00", "01"])
def test_what_does_not_concern_it_is_no_refusal(reply: str) -> None:
    decoder = PolarVerityDecoder()
    assert hear(decoder, reply) == ()
    assert (decoder.refusals, decoder.count.bad_frames) == (0, 0)


@pytest.mark.parametrize("specimen", SPECIMENS, ids=[each.device for each in SPECIMENS])
def test_a_session_loses_nothing(specimen: Specimen) -> None:
    decoder = make_decoder(specimen.device, **specimen.options)
    assert isinstance(decoder, PolarVerityDecoder | PolarOh1Decoder)
    for packet in specimen.packets:
        assert decoder.push(packet) == []
    told = decoder.readings()
    waves = [each for each in told if isinstance(each, Waveform)]
    assert [each.kind for each in waves] == ["ppg", "acc"] * 4
    rows = {"ppg": PPG_ROWS, "acc": ACC_ROWS}
    for each in waves:
        sent = rows[each.kind][: len(each.samples)]
        assert each.samples.tolist() == [list(row) for row in sent]
    assert [len(each.samples) for each in waves] == [42, 36, PLAIN_ROWS, 36] * 2
    rates = [each for each in told if isinstance(each, HeartRate)]
    assert len(rates) == 6
    assert {each.battery_percent for each in rates} == {87}
    assert decoder.count.bad_frames == decoder.count.skipped_bytes == 0
    assert decoder.count.frames == 13


def test_light_is_stamped_at_its_first_sample() -> None:
    decoder = PolarVerityDecoder()
    frame_ns = 761_900_000
    for k in (1, 2):
        push(decoder, ppg_frame(PPG_ROWS, k * frame_ns, PPG_BLOCKS))
    told = [each for each in decoder.readings() if isinstance(each, Waveform)]
    assert told[0].device_time_ns == frame_ns - round(41e9 / 55)
    assert told[1].device_time_ns == pytest.approx(frame_ns + frame_ns / 42, abs=2)


def test_intervals_measured_during_movement_are_left_out() -> None:
    decoder = PolarVerityDecoder(ppi="1")
    push(decoder, b"\x57", BATTERY_LEVEL)
    push(decoder, ppi_frame([(62, 968, 10, 0), (61, 900, 99, 7), (0, 1002, 9, 6), (60, 990, 9, 4)]))
    assert decoder.readings() == (
        HeartRate(62, (968,), None, 87),
        HeartRate(0, (1002,), True, 87),
        HeartRate(60, (990,), False, 87),
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes([1]) + bytes(8),
        bytes([1]) + bytes(9),
        ppg_frame(PPG_ROWS, 0) + b"\0",
        ppg_frame(PPG_ROWS, 0, PPG_BLOCKS)[:-1],
        ppi_frame([(60, 1000, 0, 0)])[:-1],
        ppi_frame([]),
        b"\x03" + bytes(8) + b"\x80" + bytes(6),
    ],
    ids=["empty", "header", "bare", "odd", "cut", "cut ppi", "no ppi", "compressed ppi"],
)
def test_damaged_frames_are_bad_and_tell_nothing(data: bytes) -> None:
    decoder = PolarVerityDecoder(ppi=True)
    push(decoder, data)
    assert decoder.readings() == ()
    assert decoder.count.bad_frames == 1
    assert decoder.count.skipped_bytes == decoder.count.bytes == len(data)


def test_measurements_that_nobody_wants_are_skipped_not_bad() -> None:
    decoder = PolarVerityDecoder()
    for data in (acc_frame(ACC_ROWS, 0), ppi_frame([(60, 1000, 0, 0)]), bytes([5]) + bytes(15)):
        push(decoder, data)
    assert decoder.readings() == ()
    assert decoder.count.bad_frames == 0
    assert decoder.count.skipped_bytes == decoder.count.bytes


@given(st.lists(st.tuples(st.binary(max_size=60), st.sampled_from(CHANNELS)), max_size=20))
def test_nothing_that_arrives_raises_and_all_bytes_are_counted(
    packets: list[tuple[bytes, str]],
) -> None:
    decoder = PolarVerityDecoder(acc=52, ppi=True)
    for data, channel in packets:
        push(decoder, data, channel)
    assert decoder.count.bytes == sum(len(data) for data, _ in packets)
    assert decoder.count.skipped_bytes <= decoder.count.bytes
    assert all(len(command) >= 2 for command in decoder.replies())


@given(st.sampled_from([0x00, 0x80, 0x81]), st.binary(max_size=250))
def test_any_content_is_told_or_bad(frame_type: int, content: bytes) -> None:
    decoder = PolarVerityDecoder()
    push(decoder, bytes([1]) + bytes(8) + bytes([frame_type]) + content)
    told = decoder.readings()
    assert len(told) == decoder.count.frames == 1 - decoder.count.bad_frames


@pytest.mark.parametrize(
    ("device", "options", "words"),
    [
        ("polar_verity", {"ppg": "60"}, "ppg must be .*28, 44, 55, 135, 176"),
        ("polar_verity", {"acc": "50"}, "acc must be .*26, 52, 104, 208, 416"),
        ("polar_verity", {"ppi": "maybe"}, "ppi must be"),
        ("polar_verity", {"ppi": "1", "ppg": "176"}, "ppi=1 needs the usual rates: ppg=55, acc=52"),
        ("polar_oh1", {"ppg": "55"}, "ppg must be .*135"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(
    device: str, options: dict[str, object], words: str
) -> None:
    with pytest.raises(SourceUriError, match=f"{device}: {words}"):
        make_decoder(device, **options)


@pytest.mark.parametrize("device", ["polar_verity", "polar_oh1"])
def test_registry_makes_them_by_name(device: str) -> None:
    decoder = make_decoder(device)
    for protocol in (Decoder, GattDevice, Refusing, Conversing, Telling):
        assert isinstance(decoder, protocol)
    assert isinstance(decoder, PolarVerityDecoder | PolarOh1Decoder)
    assert decoder.gatt.data == (PMD_DATA,)
    assert decoder.keep_alive_s == 0
    assert decoder.keep_alive_commands() == ()


def test_without_waveforms_heart_rate_is_what_must_not_fall_silent() -> None:
    decoder = PolarVerityDecoder(ppg="off")
    assert decoder.gatt.data == (PMD_DATA, HEART_RATE)
    assert decoder.start_commands() == decoder.stop_commands() == ()
    push(decoder, FEATURES, PMD_CONTROL)
    push(decoder, b"\x00\x48", HEART_RATE)
    assert decoder.readings() == (HeartRate(72),)
