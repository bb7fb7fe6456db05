"""The native format: round trip, refusals that name the value, hostile frames."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from firmware_bridge.errors import EncodeError
from firmware_bridge.framing import Deframer, cobs_decode, encode_packet
from firmware_bridge.native import NativeDecoder, decode_payload, encode_frame
from firmware_bridge.protocols import Decoder
from firmware_bridge.stream import DecodeCount, Frame, Packet, StreamFormat

PLAIN: dict[str, Any] = {
    "rate_hz": 250.0,
    "scale_nv": 1000.0,
    "sequence": 0,
    "device_time_us": 0,
}
DOCUMENT = Path(__file__).parents[2] / "docs" / "wire-protocol.md"


def decode(data: bytes, decoder: NativeDecoder | None = None) -> list[Frame]:
    return (decoder or NativeDecoder()).push(Packet(data, 0))


def with_byte(offset: int, value: int) -> bytes:
    """An intact frame of two leads and one sample whose header holds that byte."""
    payload = bytearray(Deframer().push(encode_frame([[1, 2]], **PLAIN))[0])
    payload[offset] = value
    return encode_packet(bytes(payload))


@st.composite
def digital_samples(draw: st.DrawFn) -> np.ndarray:
    low, high = draw(st.sampled_from([(-(2**15), 2**15 - 1), (-(2**23), 2**23 - 1)]))
    shape = (draw(st.integers(1, 60)), draw(st.integers(1, 12)))
    return draw(hnp.arrays(np.int32, shape, elements=st.integers(low, high)))


@given(
    digital_samples(),
    st.integers(1, 100_000_000),
    st.integers(1, 2**32 - 1),
    st.integers(0, 2**40),
    st.integers(0, 2**64 - 1),
    st.one_of(st.none(), st.integers(0, 100)),
    st.integers(0, 255),
)
def test_round_trip(
    digital: np.ndarray,
    rate_mhz: int,
    scale_pv: int,
    sequence: int,
    device_time_us: int,
    battery: int | None,
    boot_id: int,
) -> None:
    leads = digital.shape[1]
    data = encode_frame(
        digital,
        rate_hz=rate_mhz / 1000,
        scale_nv=scale_pv / 1000,
        sequence=sequence,
        device_time_us=device_time_us,
        lead_off=(1 << leads) - 1,
        battery_percent=battery,
        boot_id=boot_id,
    )
    (frame,) = decode(data)
    names = tuple(f"lead{k + 1}" for k in range(leads))
    assert frame.format == StreamFormat(rate_mhz / 1000, names)
    assert frame.samples_uv.dtype == np.float32
    expected_uv = (digital.astype(np.float64) * (scale_pv * 1e-6)).astype(np.float32)
    np.testing.assert_array_equal(frame.samples_uv, expected_uv)
    assert (frame.counter, frame.counter_modulus) == (sequence % 2**32, 2**32)
    assert frame.device_time_ns == device_time_us * 1000
    assert (frame.boot_id, frame.battery_percent) == (boot_id, battery)
    assert frame.lead_off == (1 << leads) - 1


@pytest.mark.parametrize("digital", [-(2**23), -32769, -32768, -1, 0, 1, 32767, 32768, 2**23 - 1])
@pytest.mark.parametrize("int24", [None, True])
def test_sample_widths_keep_sign_and_value(digital: int, int24: bool | None) -> None:
    data = encode_frame([[digital], [5]], **PLAIN, int24=int24)
    (frame,) = decode(data)
    assert frame.samples_uv.tolist() == [[digital], [5]]


def test_narrow_samples_take_two_bytes_and_wide_ones_three() -> None:
    sizes = [len(Deframer().push(encode_frame([[v]], **PLAIN))[0]) for v in (32767, 32768)]
    assert sizes == [30, 31]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rate_hz": 0}, "rate 0 mHz"),
        ({"rate_hz": 100_001}, "rate 100001000 mHz"),
        ({"rate_hz": float("nan")}, "rate_hz nan"),
        ({"scale_nv": 0}, "scale 0 pV"),
        ({"scale_nv": 5e6}, "scale 5000000000 pV"),
        ({"scale_nv": float("inf")}, "scale_nv inf"),
        ({"device_time_us": -1}, "device clock -1"),
        ({"device_time_us": 2**64}, "device clock"),
        ({"lead_off": 4}, "lead-off 0x4"),
        ({"lead_off": -1}, "lead-off"),
        ({"battery_percent": 101}, "battery 101"),
        ({"battery_percent": 255}, "battery 255"),
        ({"boot_id": 256}, "boot id 256"),
        ({"int24": False, "samples": [[40_000, 0]]}, "40000 do not fit 16 bits"),
        ({"samples": [[2**23, 0]]}, "do not fit 24 bits"),
        ({"samples": np.array([[2**64 - 1, 0]], np.uint64)}, "do not fit 24 bits"),
        ({"samples": [[0.5, 1.0]]}, "integers"),
        ({"samples": [1, 2]}, "shape"),
        ({"samples": np.zeros((0, 2), int)}, r"shape \(0, 2\)"),
        ({"samples": np.zeros((256, 2), int)}, r"shape \(256, 2\)"),
        ({"samples": np.zeros((2, 13), int)}, r"shape \(2, 13\)"),
    ],
)
def test_what_the_wire_cannot_carry_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    arguments = {**PLAIN, "samples": [[1, 2]], **change}
    samples = arguments.pop("samples")
    with pytest.raises(EncodeError, match=named):
        encode_frame(samples, **arguments)


@pytest.mark.parametrize(
    ("offset", "value", "named"),
    [
        (0, 2, "version 2"),
        (1, 0x02, "flags 0x02"),
        (1, 0x01, "announces 34"),
        (2, 0, "leads 0"),
        (2, 13, "leads 13"),
        (3, 0, "samples a lead 0"),
        (3, 2, "announces 36"),
        (7, 0xFF, "rate"),
        (24, 0x04, "lead-off"),
        (26, 101, "battery 101"),
    ],
)
def test_an_intact_frame_that_makes_no_sense_is_counted(
    offset: int, value: int, named: str
) -> None:
    decoder = NativeDecoder()
    assert decode(with_byte(offset, value), decoder) == []
    assert decoder.count.bad_frames == decoder.unsupported == 1
    assert named in str(decoder.last_fault)
    assert len(decode(encode_frame([[1, 2]], **PLAIN), decoder)) == 1


def test_a_payload_shorter_than_the_header_is_counted() -> None:
    decoder = NativeDecoder()
    assert decode(encode_packet(b"\x01" * 27), decoder) == []
    assert decoder.unsupported == 1


def test_lead_names_come_from_the_option() -> None:
    data = encode_frame([[1, 2]], **PLAIN)
    for leads in ("I, II", ("I", "II")):
        (frame,) = decode(data, NativeDecoder(leads=leads))
        assert frame.format.leads == ("I", "II")
    decoder = NativeDecoder(leads="II")
    assert decode(data, decoder) == []
    assert decoder.last_fault == "2 leads where the option leads names 1"


@pytest.mark.parametrize("leads", ["", "I,,II", "I,I", ",".join("abcdefghijklm")])
def test_lead_names_that_cannot_be_are_refused(leads: str) -> None:
    with pytest.raises(ValueError, match="leads must be"):
        NativeDecoder(leads=leads)


@given(st.binary(max_size=2000))
def test_random_bytes_only_count(data: bytes) -> None:
    decoder = NativeDecoder()
    decode(data, decoder)
    decoder.reset()
    count = decoder.count
    assert count.bytes == len(data)
    assert count.frames > 0 or count.skipped_bytes == len(data) - data.count(0)


@given(st.binary(min_size=1, max_size=80))
def test_any_intact_payload_decodes_or_counts(payload: bytes) -> None:
    decoder = NativeDecoder()
    frames = decode(encode_packet(payload), decoder)
    assert len(frames) + decoder.count.bad_frames == 1


@st.composite
def doubtful_payloads(draw: st.DrawFn) -> bytes:
    """Payloads of a few layouts, intact or with some bytes of their headers changed or cut off."""
    leads, int24 = draw(st.sampled_from([1, 2, 12])), draw(st.booleans())
    samples = draw(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=4))
    digital = np.array(samples)[:, None] + np.zeros(leads, int)
    scale_nv = draw(st.sampled_from([0.001, 1000.0, 2929.688]))
    wire = encode_frame(digital, **PLAIN | {"scale_nv": scale_nv}, int24=int24)
    payload = bytearray(Deframer().push(wire)[0])
    for at, value in draw(
        st.dictionaries(st.integers(0, 27), st.integers(0, 255), max_size=3)
    ).items():
        payload[at] = value
    return bytes(payload[: len(payload) - draw(st.sampled_from([0, 0, 0, 1, 2, 30]))])


def by_the_document(payload: bytes) -> tuple[object, ...] | None:
    """What docs/wire-protocol.md makes of a payload, field by field; None: no frame."""
    if len(payload) < 28:
        return None
    version, flags, leads, samples, rate_mhz, scale_pv, *moment = struct.unpack_from(
        "<BBBBIIIQHBB", payload
    )
    sequence, device_time_us, lead_off, battery, boot_id = moment
    size = 3 if flags & 1 else 2
    is_sound = version == 1 and flags <= 1 and 1 <= leads <= 12 and samples >= 1
    is_sound = is_sound and 1 <= rate_mhz <= 100_000_000 and scale_pv >= 1
    is_sound = is_sound and lead_off < 1 << leads and (battery <= 100 or battery == 255)
    if not is_sound or len(payload) != 28 + leads * samples * size:
        return None
    starts = range(28, len(payload), size)
    digital = [int.from_bytes(payload[at : at + size], "little", signed=True) for at in starts]
    samples_uv = np.array([step * (scale_pv * 1e-6) for step in digital]).astype(np.float32)
    return (
        *(rate_mhz / 1000, leads, samples_uv.reshape(samples, leads).tolist(), sequence),
        *(device_time_us * 1000, boot_id, lead_off, None if battery == 255 else battery),
    )


@given(st.lists(doubtful_payloads(), min_size=1, max_size=4))
def test_frames_are_what_the_document_says_whatever_came_before(payloads: list[bytes]) -> None:
    for payload in payloads:
        frame = decode_payload(payload)
        expected = by_the_document(payload)
        if isinstance(frame, str):
            assert expected is None, frame
            continue
        assert expected == (
            *(frame.format.rate_hz, len(frame.format.leads), frame.samples_uv.tolist()),
            *(frame.counter, frame.device_time_ns, frame.boot_id),
            *(frame.lead_off, frame.battery_percent),
        )


def test_counts_and_reset() -> None:
    decoder = NativeDecoder()
    data = encode_frame([[1]], **PLAIN)
    assert isinstance(decoder, Decoder)
    assert (decoder.start_commands(), decoder.stop_commands()) == ((), ())
    decode(data + data[:10], decoder)
    decoder.reset()
    decode(data, decoder)
    assert decoder.count == DecodeCount(
        frames=2, bad_frames=0, bytes=2 * len(data) + 10, skipped_bytes=9
    )


def test_the_largest_frame_passes() -> None:
    digital = np.full((255, 12), 2**23 - 1)
    data = encode_frame(digital, **PLAIN)
    (frame,) = decode(data)
    assert frame.samples_uv.shape == (255, 12)
    assert len(data) <= 9251  # as the document says


def test_header_layout_is_that_of_the_document() -> None:
    data = encode_frame([[-2, 3]], **PLAIN | {"sequence": 7, "device_time_us": 9}, boot_id=4)
    payload = Deframer().push(data)[0]
    fields = struct.unpack("<BBBBIIIQHBBhh", payload)
    assert fields == (1, 0, 2, 1, 250_000, 1_000_000, 7, 9, 0, 255, 4, -2, 3)


def hex_of(block: str) -> bytes:
    """The bytes at the start of each line, annotations left out."""
    return bytes.fromhex(" ".join(re.findall(r"(?m)^((?:[0-9a-f]{2}\b ?)+)", block)))


def test_the_example_of_the_document_is_what_the_encoder_sends() -> None:
    blocks = re.findall(r"```text\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    plain, wire = map(hex_of, blocks)
    assert wire == encode_frame(
        [[100, -100], [0, 300]],
        rate_hz=250,
        scale_nv=2929.688,
        sequence=1000,
        device_time_us=4_000_000,
        lead_off=0b10,
        battery_percent=87,
        boot_id=5,
    )
    assert plain == cobs_decode(wire[1:-1])
    assert (len(plain), len(wire)) == (40, 43)
