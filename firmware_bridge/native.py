"""The native wire format: what the shipped firmware sends.

docs/wire-protocol.md is the specification and firmware/edge_frame.h the encoder for devices.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from firmware_bridge.errors import EncodeError
from firmware_bridge.framing import CRC_BYTES, Deframer, encode_packet, wire_bytes_max
from firmware_bridge.native_format import (
    BATTERY_UNKNOWN,
    FLAG_INT24,
    HEADER_BYTES,
    INT16_RANGE,
    INT24_RANGE,
    LAYOUT,
    LEADS_MAX,
    MOMENT,
    PAYLOAD_MAX,
    SAMPLES_MAX,
    SEQUENCE_MODULUS,
    VERSION,
    NativeLayout,
    NativeMoment,
    pack_header,
    pack_samples,
    unpack_samples,
)
from firmware_bridge.stream import DecodeCount, Frame, Packet, StreamFormat

__all__ = ["NativeDecoder", "decode_payload", "encode_frame"]

FLOAT32 = np.dtype(np.float32)


def encode_frame(
    samples_digital: ArrayLike,
    *,
    rate_hz: float,
    scale_nv: float,
    sequence: int,
    device_time_us: int,
    lead_off: int = 0,
    battery_percent: int | None = None,
    boot_id: int = 0,
    int24: bool | None = None,
) -> bytes:
    """One frame as it goes over the wire, delimiters included.

    samples_digital: integers, shape (samples, leads): 1 to 255 samples of 1 to 12 leads.
    rate_hz: above 0 to 100,000, kept to a millihertz. scale_nv: nanovolts of one step, above 0
    to 4,294,967.295, kept to a picovolt. sequence: index of the first sample, wraps at 2^32.
    device_time_us: device clock at the first sample. lead_off: bit k set where lead k is off.
    int24: sample width; None takes the narrowest that fits.
    Raises EncodeError, naming the value, where the wire cannot carry it.
    """
    digital = _checked_samples(samples_digital)
    wide = _is_wide(digital, int24)
    layout = NativeLayout(
        version=VERSION,
        flags=FLAG_INT24 if wide else 0,
        leads=digital.shape[1],
        samples=digital.shape[0],
        rate_mhz=_thousandths("rate_hz", rate_hz),
        scale_pv=_thousandths("scale_nv", scale_nv),
    )
    moment = NativeMoment(
        sequence=sequence % SEQUENCE_MODULUS,
        device_time_us=device_time_us,
        lead_off=lead_off,
        battery_percent=BATTERY_UNKNOWN if battery_percent is None else battery_percent,
        boot_id=boot_id,
    )
    fault = layout.fault() or moment.fault(layout.leads)
    if battery_percent == BATTERY_UNKNOWN:
        fault = "battery 255 is not 0 to 100 percent; pass None where it is unknown"
    if fault:
        raise EncodeError(f"native frame: {fault}")
    return encode_packet(pack_header(layout, moment) + pack_samples(digital, wide))


def decode_payload(payload: bytes, leads: Sequence[str] | None = None) -> Frame | str:
    """The frame that an intact payload holds, or a line that says why it holds none.

    leads: their names, in order; None names them lead1, lead2 and so on.
    """
    if len(payload) < HEADER_BYTES:
        return f"{len(payload)} bytes are fewer than the {HEADER_BYTES} of a header"
    kind = _kind(payload[: LAYOUT.size], None if leads is None else tuple(leads))
    if isinstance(kind, str):
        return kind
    layout = kind.layout
    moment = NativeMoment(*MOMENT.unpack_from(payload, LAYOUT.size))
    fault = moment.fault(layout.leads)
    if fault:
        return fault
    if len(payload) != kind.payload_bytes:
        return f"{len(payload)} bytes where the header announces {kind.payload_bytes}"
    if leads is not None and len(leads) != layout.leads:
        return f"{layout.leads} leads where the option leads names {len(leads)}"
    return _frame(kind, moment, payload)


class NativeDecoder:
    """Decoder of the native format.

    leads: names of the leads in wire order, as a sequence or comma-separated ("I,II"); frames
        with another number of leads are counted as bad. None names them lead1, lead2 and so on.
    """

    def __init__(self, leads: str | Sequence[str] | None = None) -> None:
        self._leads = _lead_names(leads)
        self._deframer = Deframer(wire_bytes_max(PAYLOAD_MAX))
        self._frames = 0
        self._unsupported = 0
        self._unsupported_bytes = 0
        self._last_fault: str | None = None

    def push(self, packet: Packet) -> list[Frame]:
        """Frames completed by these bytes."""
        frames: list[Frame] = []
        for payload in self._deframer.push(packet.data):
            frame = decode_payload(payload, self._leads)
            if isinstance(frame, str):
                self._refuse(payload, frame)
            else:
                frames.append(frame)
        self._frames += len(frames)
        return frames

    def start_commands(self) -> tuple[bytes, ...]:
        """None: a native device streams from power-on."""
        return ()

    def stop_commands(self) -> tuple[bytes, ...]:
        """None: a native device takes no commands."""
        return ()

    def reset(self) -> None:
        """Forget a partial frame; counts stay."""
        self._deframer.reset()

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; a frame that is intact but unsupported counts as bad."""
        return DecodeCount(
            frames=self._frames,
            bad_frames=self._deframer.bad_frames + self._unsupported,
            bytes=self._deframer.received_bytes,
            skipped_bytes=self._deframer.skipped_bytes + self._unsupported_bytes,
        )

    @property
    def unsupported(self) -> int:
        """Frames with a right CRC-32 that this version cannot read or that make no sense."""
        return self._unsupported

    @property
    def last_fault(self) -> str | None:
        """Why the latest unsupported frame was refused."""
        return self._last_fault

    def _refuse(self, payload: bytes, fault: str) -> None:
        self._last_fault = fault
        self._unsupported += 1
        self._unsupported_bytes += len(payload) + CRC_BYTES


def _lead_names(leads: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if leads is None:
        return None
    parts = leads.split(",") if isinstance(leads, str) else leads
    names = tuple(part.strip() for part in parts)
    if not 1 <= len(names) <= LEADS_MAX or not all(names) or len(set(names)) < len(names):
        raise ValueError(f"leads must be 1 to {LEADS_MAX} different names, not {leads!r}")
    return names


class _Kind(msgspec.Struct, frozen=True):
    """What frames of one layout have in common. scale_uv: of a step; an array of no dimension."""

    layout: NativeLayout
    payload_bytes: int
    format: StreamFormat
    scale_uv: NDArray[np.float64]


@lru_cache(maxsize=256)
def _kind(head: bytes, names: tuple[str, ...] | None) -> _Kind | str:
    """The kind of the frames whose header begins so, or why there is none."""
    layout = NativeLayout._make(LAYOUT.unpack(head))
    fault = layout.fault()
    if fault:
        return fault
    leads = names or tuple(f"lead{k + 1}" for k in range(layout.leads))
    form = StreamFormat(layout.rate_mhz / 1000, leads)
    return _Kind(layout, layout.payload_bytes, form, np.array(layout.scale_pv * 1e-6))


def _frame(kind: _Kind, moment: NativeMoment, payload: bytes) -> Frame:
    battery = moment.battery_percent
    samples = unpack_samples(payload, kind.layout)
    np.multiply(samples, kind.scale_uv, samples)
    return Frame(
        format=kind.format,
        samples_uv=samples.astype(FLOAT32),
        counter=moment.sequence,
        counter_modulus=SEQUENCE_MODULUS,
        device_time_ns=moment.device_time_us * 1000,
        boot_id=moment.boot_id,
        lead_off=moment.lead_off,
        battery_percent=None if battery == BATTERY_UNKNOWN else battery,
    )


def _checked_samples(samples_digital: ArrayLike) -> NDArray[Any]:
    digital = np.asarray(samples_digital)
    if digital.ndim != 2 or not np.issubdtype(digital.dtype, np.integer):
        raise EncodeError(
            "native frame: samples must be integers of shape (samples, leads), "
            f"not {digital.dtype} of shape {digital.shape}"
        )
    if not (1 <= digital.shape[0] <= SAMPLES_MAX and 1 <= digital.shape[1] <= LEADS_MAX):
        raise EncodeError(
            f"native frame: shape {digital.shape} is not 1 to {SAMPLES_MAX} samples "
            f"of 1 to {LEADS_MAX} leads"
        )
    return digital


def _is_wide(digital: NDArray[Any], int24: bool | None) -> bool:
    least, most = int(digital.min()), int(digital.max())
    fits16 = INT16_RANGE[0] <= least and most <= INT16_RANGE[1]
    wide = not fits16 if int24 is None else int24
    low, high = INT24_RANGE if wide else INT16_RANGE
    if least < low or most > high:
        bits = 24 if wide else 16
        raise EncodeError(f"native frame: samples {least} to {most} do not fit {bits} bits")
    return wide


def _thousandths(name: str, value: float) -> int:
    if not np.isfinite(value):
        raise EncodeError(f"native frame: {name} {value} is not a finite number")
    return round(value * 1000)
