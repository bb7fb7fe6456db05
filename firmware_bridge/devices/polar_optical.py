"""Polar's optical armbands Verity Sense and OH1: light, movement and pulse by Bluetooth LE."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from firmware_bridge.devices.heart_rate_service import (
    BATTERY_LEVEL,
    BATTERY_SERVICE,
    HEART_RATE,
    HEART_RATE_SERVICE,
    HeartRateService,
)
from firmware_bridge.devices.options import switch
from firmware_bridge.devices.polar_dialogue import Dialogue
from firmware_bridge.devices.polar_pmd import (
    ACC,
    PMD_CONTROL,
    PMD_DATA,
    PMD_SERVICE,
    PPG,
    PPI,
    SDK_MODE,
    rate_option,
    split_data,
)
from firmware_bridge.devices.polar_samples import WaveformStream
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import GattProfile
from firmware_bridge.stream import DecodeCount, Frame, HeartRate, Packet, Reading

__all__ = ["PolarOh1Decoder", "PolarVerityDecoder"]

PPI_SAMPLE = struct.Struct("<BHHB")
MOVED, CONTACT, CONTACT_SENSED = 0x01, 0x02, 0x04


@dataclass(frozen=True, slots=True)
class Model:
    """What sets the armbands apart.

    name: for people. advertised: pattern of its name on the air. ppg_hz, acc_hz: usual rates.
    misnamed_hz: the rate at which light really comes, by the only rate its settings offer.
    sdk_ppg_hz, sdk_acc_hz: further rates, in SDK mode.
    """

    name: str
    advertised: str
    ppg_hz: int
    acc_hz: int
    misnamed_hz: Mapping[int, int]
    sdk_ppg_hz: tuple[int, ...] = ()
    sdk_acc_hz: tuple[int, ...] = ()


VERITY_SENSE = Model(
    name="Polar Verity Sense",
    advertised="Polar Sense*",
    ppg_hz=55,
    acc_hz=52,
    misnamed_hz={135: 55},  # before firmware 2.1.0
    sdk_ppg_hz=(28, 44, 135, 176),
    sdk_acc_hz=(26, 104, 208, 416),
)
OH1 = Model("Polar OH1", "Polar OH1*", ppg_hz=135, acc_hz=50, misnamed_hz={130: 135})


class _Armband:
    """What the armbands have in common; see the decoders below."""

    def __init__(self, model: Model, ppg: int | str, acc: int | str, ppi: bool | str) -> None:
        self._model = model
        wanted_hz = _wanted_hz(model, ppg, acc)
        self._plan = _plan(model, wanted_hz, ppi)
        self._streams = {kind: WaveformStream(kind, hz) for kind, hz in wanted_hz.items()}
        self._dialogue = Dialogue(
            model.name, self._plan, wanted_hz, self._streams, model.misnamed_hz
        )
        self._heart = HeartRateService()
        self._tally = Tally()
        self._hearers = {
            "": self._measurement,
            PMD_DATA: self._measurement,
            PMD_CONTROL: self._dialogue.hear,
            HEART_RATE: self._heart_rate,
            BATTERY_LEVEL: self._heart.battery,
        }

    @property
    def gatt(self) -> GattProfile:
        """Its characteristics; where no waveform is wanted, heart rate counts as data."""
        waveforms = bool(self._streams)
        return GattProfile(
            control=PMD_CONTROL,
            data=(PMD_DATA,) if waveforms else (PMD_DATA, HEART_RATE),
            side=(HEART_RATE, BATTERY_LEVEL) if waveforms else (BATTERY_LEVEL,),
            services=(PMD_SERVICE, HEART_RATE_SERVICE, BATTERY_SERVICE),
            name=self._model.advertised,
        )

    def reset(self) -> None:
        """Forget the clocks and the conversation of the former connection; counts stay."""
        self._dialogue.reset()
        for stream in self._streams.values():
            stream.reset()

    def push(self, packet: Packet) -> list[Frame]:
        """No frames; what was told waits in `readings`. A channel of "" counts as data."""
        size = len(packet.data)
        self._tally.bytes += size
        hear = self._hearers.get(packet.channel)
        if hear is None:
            self._tally.skipped_bytes += size
        elif not hear(packet.data):
            self._tally.bad(size)
        return []

    def readings(self) -> tuple[Reading, ...]:
        """Readings since the last call, in order; the last 256 are kept."""
        return self._heart.readings()

    def start_commands(self) -> tuple[bytes, ...]:
        """The first step of starting; the others are replies to what the armband answers."""
        return self._dialogue.start_commands()

    def stop_commands(self) -> tuple[bytes, ...]:
        """Stop all that was started, the last first."""
        return self._dialogue.stop_commands()

    def replies(self) -> tuple[bytes, ...]:
        """The next step of starting, where the armband answered the one before."""
        return self._dialogue.replies()

    @property
    def keep_alive_s(self) -> float:
        """0: it goes on by itself."""
        return 0.0

    def keep_alive_commands(self) -> tuple[bytes, ...]:
        """None."""
        return ()

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are intact notifications of data and heart rate."""
        return self._tally.count

    @property
    def refusals(self) -> int:
        """How often the armband refused something since the decoder was made."""
        return self._dialogue.refusals

    @property
    def last_refusal(self) -> str:
        """What it refused last and why, in words; empty if nothing."""
        return self._dialogue.last_refusal

    def _heart_rate(self, data: bytes) -> bool:
        intact = self._heart.heart_rate(data)
        self._tally.frames += intact
        return intact

    def _measurement(self, data: bytes) -> bool:
        parts = split_data(data)
        if parts is None:
            return False
        measurement, last_ns, frame_type, content = parts
        stream = self._streams.get(measurement)
        if stream is not None:
            waveform = stream.read(last_ns, frame_type, content)
            if waveform is not None:
                self._heart.tell(waveform)
            intact = waveform is not None
        elif measurement == PPI and PPI in self._plan:
            intact = self._intervals(frame_type, content)
        else:
            self._tally.skipped_bytes += len(data)
            return True
        self._tally.frames += intact
        return intact

    def _intervals(self, frame_type: int, content: bytes) -> bool:
        """Pulse intervals, 6 bytes each; those measured during movement are left out."""
        if frame_type != 0 or not content or len(content) % PPI_SAMPLE.size:
            return False
        battery = self._heart.battery_percent
        for bpm, interval_ms, _error_ms, flags in PPI_SAMPLE.iter_unpack(content):
            if not flags & MOVED:
                contact = bool(flags & CONTACT) if flags & CONTACT_SENSED else None
                self._heart.tell(HeartRate(float(bpm), (float(interval_ms),), contact, battery))
        return True


class PolarVerityDecoder(_Armband):
    """Notifications of a Polar Verity Sense to readings: light, movement, heart rate, intervals.

    It has no ECG, so no frames.
    ppg: rate of the light in Hz, 55 by default, or `off`: three pairs of LEDs and the ambient
        light, in counts of 22 bits.
    acc: rate of the movement in Hz, 52 as a rule, or `off`, the default; in mg.
    ppi: 1 tells pulse intervals, from some 25 s on and the heart rate then every 5 s only; those
        measured during movement are left out. 0 by default.
    Further rates (ppg 28, 44, 135, 176; acc 26, 104, 208, 416) need its SDK mode, in which it
    tells neither heart rate nor intervals; they are taken from what its settings offer.

    Before firmware 2.1.0 it says 135 Hz of light that comes at 55 Hz; the readings say 55. Its
    sense of contact is not to be trusted, says Polar. The wire has no checksum: a frame is intact
    where its length is that of its samples.

    Source: polar-ble-sdk (polarofficial): online_measurement.pdf, KnownIssues.md, the classes
    AccData, PpgData, PpiData. Spec-tested, not capture-tested.
    """

    def __init__(
        self, ppg: int | str = 55, acc: int | str = "off", ppi: bool | str = False
    ) -> None:
        super().__init__(VERITY_SENSE, ppg, acc, ppi)


class PolarOh1Decoder(_Armband):
    """Notifications of a Polar OH1 to readings: light, movement, heart rate, intervals.

    It has no ECG, so no frames.
    ppg: 135 (Hz, the default; it says 130 itself), or `off`. acc: 50 (Hz), or `off`, the default.
    ppi: 1 or 0, as with the Verity Sense (`PolarVerityDecoder`, which see for the rest).

    Source: polar-ble-sdk (polarofficial): online_measurement.pdf, KnownIssues.md, the classes
    AccData, PpgData, PpiData. Spec-tested, not capture-tested.
    """

    def __init__(
        self, ppg: int | str = 135, acc: int | str = "off", ppi: bool | str = False
    ) -> None:
        super().__init__(OH1, ppg, acc, ppi)


def _wanted_hz(model: Model, ppg: int | str, acc: int | str) -> dict[int, int]:
    """Rates of the waveforms that are wanted, by measurement."""
    rates_hz = {
        PPG: rate_option("ppg", ppg, tuple(sorted((model.ppg_hz, *model.sdk_ppg_hz)))),
        ACC: rate_option("acc", acc, tuple(sorted((model.acc_hz, *model.sdk_acc_hz)))),
    }
    return {kind: rate_hz for kind, rate_hz in rates_hz.items() if rate_hz is not None}


def _plan(model: Model, wanted_hz: Mapping[int, int], ppi: bool | str) -> tuple[int, ...]:
    """What to start, in order."""
    sdk_mode = wanted_hz.get(PPG) in model.sdk_ppg_hz or wanted_hz.get(ACC) in model.sdk_acc_hz
    intervals = switch("ppi", ppi)
    if sdk_mode and intervals:
        raise ValueError(f"ppi=1 needs the usual rates: ppg={model.ppg_hz}, acc={model.acc_hz}")
    return (
        *((SDK_MODE,) if sdk_mode else ()),
        *wanted_hz,
        *((PPI,) if intervals else ()),
    )
