"""Movesense sensors (HR+, HR2, MD, Flash) with the firmware they are sold with."""

from __future__ import annotations

import struct
from collections import deque

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.devices import gsp
from firmware_bridge.devices.options import chosen_number, chosen_word, switch
from firmware_bridge.devices.packet_clock import PacketClock
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import GattProfile
from firmware_bridge.stream import DecodeCount, Frame, HeartRate, Packet, Reading, StreamFormat

__all__ = ["MovesenseDecoder"]

GSP_SERVICE = "34802252-7185-4d5d-b431-630e7050e8f0"
GSP_WRITE = "34800001-7185-4d5d-b431-630e7050e8f0"
GSP_NOTIFY = "34800002-7185-4d5d-b431-630e7050e8f0"

RATES_HZ = (125, 128, 200, 250, 256, 500, 512)
SAMPLES = 16
"""In every message of ECG."""
RAW_UV = 0.381469726563
"""One unit of the raw stream, by the interface description (ecg.yaml): 0.000381... mV."""
UNITS = {"raw": ("", "<i4", RAW_UV), "mv": ("/mV", "<i2", 1.0)}
"""Option: end of the path, what a sample is on the wire, microvolts in one of its units."""

HELLO_REF, BATTERY_REF, ECG_REF, HEART_RATE_REF = 1, 2, 100, 101
BATTERY_PATH, HEART_RATE_PATH = "/System/Energy/Level", "/Meas/HR"
BATTERY_EVERY_S = 60.0
BPM_MAX = 300.0
READINGS_MAX = 256

HTTP_OK = range(200, 300)
WHY = {
    400: "it does not understand the path",
    403: "it forbids that",
    404: "its firmware does not know it",
    409: "its state forbids that; it may be logging",
    423: "it is locked",
    500: "internal error",
    501: "its firmware does not have it",
    503: "it is busy: ECG may run at another rate, or be wanted by another program",
    507: "it has no room for another stream",
}

STAMP = struct.Struct("<I")
AVERAGE = struct.Struct("<f")


class MovesenseDecoder:
    """Notifications of a Movesense sensor to frames of one lead in microvolts.

    The sensor counts nothing; its clock, milliseconds since it woke, tells loss (`PacketClock`)
    and begins anew whenever it sleeps. It does not tell contact. Nothing guards the samples but
    the link itself; a message of any other length than 16 samples have is bad.

    Options: rate (hertz, one of 125, 128, 200, 250, 256, 500, 512); unit: `raw` (steps of
    0.38 uV, every firmware) or `mv` (steps of 1 uV, about half the radio time, firmware 2.3 and
    later, wraps beyond 32.7 mV); hr=1: heart rate and RR intervals besides.

    Sources: GATT SensorData Protocol specification, version 1 (movesense.com/docs/esw), and
    `protocol.py` and `sensor.py` of github.com/sensein/movesense-py. Confirmed by a real capture.
    The capture is of one message in millivolts; the raw stream and the heart rate are tested by
    the specification.
    """

    gatt = GattProfile(
        control=GSP_WRITE,
        data=(GSP_NOTIFY,),
        services=(GSP_SERVICE,),
        name="Movesense*",
    )
    keep_alive_s = BATTERY_EVERY_S

    def __init__(self, rate: object = 250, unit: object = "raw", hr: object = 0) -> None:
        rate_hz = chosen_number("rate", rate, RATES_HZ)
        self._unit = chosen_word("unit", unit, UNITS)
        ending, wire_type, scale_uv = UNITS[self._unit]
        self._wire_type = np.dtype(wire_type)
        self._scale_uv = np.array(scale_uv, np.float32)
        self._with_heart_rate = switch("hr", hr)
        self._path = f"/Meas/ECG/{rate_hz}{ending}"
        self._format = StreamFormat(float(rate_hz), ("ECG",))
        self._clock = PacketClock(rate_hz)
        self._tally = Tally()
        self._joiner = gsp.Joiner(STAMP.size + SAMPLES * self._wire_type.itemsize, self._tally)
        self._readings: deque[Reading] = deque(maxlen=READINGS_MAX)
        self._battery_percent: int | None = None
        self._about: dict[str, str] = {}
        self._refusals = 0
        self._last_refusal = ""

    def push(self, packet: Packet) -> list[Frame]:
        """The frame that this notification completes, if any; a channel of "" counts as data."""
        data = packet.data
        self._tally.bytes += len(data)
        if len(data) < 2 or packet.channel not in (GSP_NOTIFY, ""):
            self._tally.skipped_bytes += len(data)
            return []
        code, reference = data[0], data[1]
        if reference == ECG_REF and code == gsp.DATA:
            return self._ecg(self._joiner.begun(data[2:]))
        if reference == ECG_REF and code == gsp.CONTINUATION:
            return self._ecg(self._joiner.continued(data[2:]))
        if code == gsp.REPLY:
            self._reply(reference, data)
        elif code == gsp.DATA and reference == HEART_RATE_REF:
            self._heart_rate(data[2:])
        else:
            self._tally.skipped_bytes += len(data)
        return []

    def start_commands(self) -> tuple[bytes, ...]:
        """Greet it, start the streams, ask for the charge."""
        commands = [gsp.hello(HELLO_REF), gsp.subscribe(ECG_REF, self._path)]
        if self._with_heart_rate:
            commands.append(gsp.subscribe(HEART_RATE_REF, HEART_RATE_PATH))
        return (*commands, *self.keep_alive_commands())

    def stop_commands(self) -> tuple[bytes, ...]:
        """End the streams; the sensor falls asleep half a minute after it is left."""
        commands = (gsp.unsubscribe(ECG_REF), gsp.unsubscribe(HEART_RATE_REF))
        return commands if self._with_heart_rate else commands[:1]

    def keep_alive_commands(self) -> tuple[bytes, ...]:
        """Ask for the charge; the sensor does not tell it by itself."""
        return (gsp.get(BATTERY_REF, BATTERY_PATH),)

    def replies(self) -> tuple[bytes, ...]:
        """None: nothing that the sensor sends wants an answer."""
        return ()

    def readings(self) -> tuple[Reading, ...]:
        """Heart rates since the last call, in order; the last 256 are kept."""
        return tuple(self._readings.popleft() for _ in range(len(self._readings)))

    def about(self) -> dict[str, str]:
        """What the sensor says of itself: model, serial, firmware."""
        return self._about

    def reset(self) -> None:
        """Forget a message half received, and the clock and the name of the former connection."""
        self._about = {}
        self._joiner.reset()
        self._clock.reset()

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are those of ECG."""
        return self._tally.count

    @property
    def refusals(self) -> int:
        """How many commands the sensor refused since the decoder was made."""
        return self._refusals

    @property
    def last_refusal(self) -> str:
        """Which command it refused last and why, in words; empty if none."""
        return self._last_refusal

    def _ecg(self, data: bytes) -> list[Frame]:
        if not data:
            return []
        digital: NDArray[np.signedinteger] = np.ndarray(
            (SAMPLES, 1), self._wire_type, data, STAMP.size
        )
        samples_uv = digital.astype(np.float32)
        samples_uv *= self._scale_uv
        self._tally.frames += 1
        return [
            Frame(
                self._format,
                samples_uv,
                device_time_ns=self._clock.first_ns(STAMP.unpack_from(data)[0], SAMPLES),
                battery_percent=self._battery_percent,
            )
        ]

    def _heart_rate(self, data: bytes) -> None:
        """Average as float32, then RR intervals as u16 milliseconds; no time."""
        bpm = AVERAGE.unpack_from(data)[0] if len(data) >= AVERAGE.size else -1.0
        if not 0.0 <= bpm <= BPM_MAX or len(data) % 2:
            self._tally.bad(len(data))
            return
        rr_ms = np.frombuffer(data, "<u2", offset=AVERAGE.size).astype(float).tolist()
        self._readings.append(HeartRate(bpm, tuple(rr_ms), None, self._battery_percent))

    def _reply(self, reference: int, data: bytes) -> None:
        if reference == HELLO_REF:
            self._about = gsp.introduction(data)
        elif len(data) < 4 or reference not in (ECG_REF, HEART_RATE_REF, BATTERY_REF):
            self._tally.skipped_bytes += len(data)
        elif gsp.status(data) not in HTTP_OK:
            self._refuse(reference, gsp.status(data))
        elif reference == BATTERY_REF and len(data) > 4 and data[4] <= 100:
            self._battery_percent = data[4]

    def _refuse(self, reference: int, status: int) -> None:
        paths = {HEART_RATE_REF: HEART_RATE_PATH, BATTERY_REF: BATTERY_PATH}
        why = WHY.get(status, "it gives no reason")
        self._refusals += int(reference == ECG_REF)  # an ECG streams without the others
        self._last_refusal = (
            f"Movesense refused {paths.get(reference, self._path)}: {why} (status {status})"
        )
        if reference == ECG_REF and status == 404 and self._unit == "mv":
            self._last_refusal += "; unit=mv needs firmware 2.3, unit=raw does not"
