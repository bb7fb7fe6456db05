"""ProtoCentral's boards: what their OpenView packets hold, and their scales.

Scales of the MAX30001 and MAX30003: ECG [mV] = ADC * 1000 mV / (2^17 * gain), 18 bit (data
sheets, "ECG channel"). Of the ADS1292R: 2.42 V / gain / (2^23 - 1) a count of its 24 bit. All
boards take `uv_per_lsb` from whoever has calibrated one, and `rate` where a sketch was changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from firmware_bridge.devices.options import positive
from firmware_bridge.devices.protocentral import Layout, OpenViewDecoder, Wave
from firmware_bridge.protocols import SerialProfile

__all__ = [
    "Ads1292rDecoder",
    "Ads1293Decoder",
    "HealthyPi5Decoder",
    "HealthyPiV4Decoder",
    "Max30001Decoder",
    "Max30003Decoder",
]

DATA, ECG_BATCH, PPG_BATCH = 0x02, 0x03, 0x04
ARDUINO_START_S = 2.0
ONE_LEAD = ("ECG",)
STATUS, LEADS_OFF = 10, 0x1F
"""Where a HealthyPi v4 packet has the status of the ADS1292R, and its bits for electrodes."""

ADS1292R_UV = 2.42e6 / 6 / (2**23 - 1)
"""A count of the ADS1292R at gain 6."""
FILTERED_UV = ADS1292R_UV * 2**8 * 4
"""The firmware drops 8 bits and its DC blocker 2 more; its 40 Hz filter has gain 1."""
MAX3000X_UV = 1e6 / 2**17
"""A count of the MAX30001 and MAX30003 at gain 1."""
CODE_BITS = 18
MAX_PADDING = 0xFFFC
"""Bits of a left-justified count that are always 0."""
ADC_MAX = 0x800000
"""Full scale of the ADS1293 at 100 Hz (R1 = 4, R2 = 4, R3 = 64)."""

HEALTHYPI_V4 = Layout(
    DATA,
    Struct("<hhiiHBBBBBB"),  # ECG, breathing, IR, red, temperature, rates, constants, status
    ecg=slice(0, 1),
    uv_per_lsb=FILTERED_UV,
    waves=(
        Wave("resp", slice(1, 2), ("resp",), 125.0),
        Wave("ppg", slice(2, 4), ("ir", "red"), 125.0),
    ),
    heart_rate=7,
)
HEALTHYPI5 = (
    Layout(
        DATA,
        Struct("<iiBiihBBB"),  # ECG, bioimpedance, its flag, red, IR, temperature, SpO2, rates
        ecg=slice(0, 1),
        uv_per_lsb=MAX3000X_UV / 80,
        waves=(
            Wave("resp", slice(1, 2), ("bioz",), 64.0, skip=2),
            Wave("ppg", slice(3, 5), ("red", "ir"), 128.0),
        ),
        heart_rate=7,
        flags=(2,),
    ),
    Layout(
        ECG_BATCH,
        Struct("<8i4iBB"),
        ecg=slice(0, 8),
        uv_per_lsb=MAX3000X_UV / 80,
        waves=(Wave("resp", slice(8, 12), ("bioz",), 64.0),),
        heart_rate=12,
    ),
    Layout(PPG_BATCH, Struct("<8hBh"), waves=(Wave("ppg", slice(0, 8), ("red",), 100.0),)),
)
ADS1292R_9 = Layout(
    DATA,
    Struct("<hhHHB"),  # ECG, breathing, breaths a minute, beats a minute, 0
    ecg=slice(0, 1),
    uv_per_lsb=FILTERED_UV,
    waves=(Wave("resp", slice(1, 2), ("resp",), 125.0),),
    heart_rate=3,
    zeros=(4,),
)
ADS1292R_8 = Layout(
    DATA,
    Struct("<hhhh"),  # ECG, breathing, beats a minute, breaths a minute
    ecg=slice(0, 1),
    uv_per_lsb=ADS1292R_UV * 2**4,
    waves=(Wave("resp", slice(1, 2), ("resp",), 125.0),),
    heart_rate=2,
)
ADS1293 = Layout(DATA, Struct("<3i"), ecg=slice(0, 3))
MAX30001 = Layout(
    DATA,
    Struct("<iiBBBB"),  # ECG, bioimpedance, its flag, 0, 0, 0
    ecg=slice(0, 1),
    uv_per_lsb=MAX3000X_UV / 80,
    waves=(Wave("resp", slice(1, 2), ("bioz",), 64.0, skip=2),),
    zeros=(3, 4, 5),
    flags=(2,),
)
MAX30003 = (
    Layout(
        DATA,
        Struct("<iHHHH"),  # ECG, RR interval in ms, 0, beats a minute, 0
        ecg=slice(0, 1),
        uv_per_lsb=MAX3000X_UV / 20,
        heart_rate=3,
        rr_ms=1,
        zeros=(2, 4),
    ),
    Layout(
        DATA,
        Struct("<5xiHHHH"),  # a sketch that leaves room for a header that it has sent already
        ecg=slice(0, 1),
        uv_per_lsb=MAX3000X_UV / 20,
        heart_rate=3,
        rr_ms=1,
        zeros=(2, 4),
    ),
)


class HealthyPiV4Decoder(OpenViewDecoder):
    """HealthyPi v4 over USB in its serial ("v3") mode: ECG of one lead, 125 Hz; 115,200 baud.

    Breathing and light (IR, red) come as readings. Where electrodes are off (status byte) the
    board sends an ECG of 0. No loss shows but by a late arrival.

    uv_per_lsb: 49.24, derived from the firmware: 12.309 uV for the ADS1292R at gain 6 less its
    lower 8 bits, times 4 for the DC blocker's shift. Source: protocentral_healthypi_v4,
    firmware/Healthypiv4_Arduino. Spec-tested, not capture-tested.
    """

    serial = SerialProfile(115_200, ARDUINO_START_S)

    def __init__(self, rate: float | str = 125.0, uv_per_lsb: float | str | None = None) -> None:
        super().__init__((HEALTHYPI_V4,), ONE_LEAD, rate, uv_per_lsb)

    def _lead_off(self, ecg: Sequence[int], values: Sequence[int]) -> int:
        return 1 if ecg[0] == 0 and values[STATUS] & LEADS_OFF else 0


class HealthyPi5Decoder(OpenViewDecoder):
    """HealthyPi 5 over USB: ECG of one lead, 128 Hz, in either of its packet formats.

    Firmware before 1.0 sends single samples (type 2), later one batches of 8 (type 3) and light
    apart (type 4). A batch that the board cuts short keeps the length of a whole one; it counts
    as bad. Bioimpedance and light come as readings. It tells no contact; no loss shows but by a
    late arrival.

    uv_per_lsb: undocumented; 0.09537 is the data sheet's for gain 80, which the board's device
    tree sets (`ecg-gain = <2>`). Source: protocentral_healthypi5_zephyr, app/src/data_module.c
    and boards/. Spec-tested, not capture-tested.
    """

    serial = SerialProfile(115_200)

    def __init__(self, rate: float | str = 128.0, uv_per_lsb: float | str | None = None) -> None:
        super().__init__(HEALTHYPI5, ONE_LEAD, rate, uv_per_lsb)


class Ads1292rDecoder(OpenViewDecoder):
    """ADS1292R shield or breakout on an Arduino: ECG of one lead, 125 Hz; 57,600 baud.

    Two libraries are told apart by their length: 9 bytes (until 2025; 49.24 uV a count, as on
    the HealthyPi v4) and 8 bytes (2026; 0.7693 uV a count: 4 bits dropped). A sketch of 2025
    that sends `data.ecg >> 6` has 9 bytes too: give it `uv_per_lsb=3.077`. Both filters delay
    by 0.64 s (161 taps). Breathing comes as a reading; no loss shows but by a late arrival.

    Where electrodes are off the board sends zeros; a whole second of them is told as no
    contact, which a signal below half a count cannot be told from. Source:
    protocentral-ads1292r-arduino, examples and src. Spec-tested, not capture-tested.
    """

    serial = SerialProfile(57_600, ARDUINO_START_S)

    def __init__(self, rate: float | str = 125.0, uv_per_lsb: float | str | None = None) -> None:
        super().__init__((ADS1292R_9, ADS1292R_8), ONE_LEAD, rate, uv_per_lsb)
        self._zero_samples = 0

    def reset(self) -> None:
        """Forget a packet half received, and how long the ECG was 0."""
        super().reset()
        self._zero_samples = 0

    def _lead_off(self, ecg: Sequence[int], values: Sequence[int]) -> int:
        self._zero_samples = 0 if ecg[0] else self._zero_samples + 1
        return 1 if self._zero_samples >= self._format.rate_hz else 0


class Ads1293Decoder(OpenViewDecoder):
    """ADS1293 shield or breakout with its 5-lead sketch: leads I, II and V1, 100 Hz; 57,600 baud.

    The chip counts from 0 to `adc_max` with 0 V in the middle; the sketch takes that for two's
    complement, which is undone here. ECG = (ADC / adc_max - 1/2) * 2 * 2.4 V / 3.5 (data sheet,
    from memory, as is adc_max; it depends on the decimation rates). It tells no contact; no loss
    shows but by a late arrival. The sketch waits 10 ms after each sample, so that fewer than 100
    a second come: measure and give `rate`. Source: protocentral-ads1293-arduino,
    examples/03-5-lead-ECG-openview. Spec-tested, not capture-tested.
    """

    serial = SerialProfile(57_600, ARDUINO_START_S)

    def __init__(
        self,
        rate: float | str = 100.0,
        uv_per_lsb: float | str | None = None,
        adc_max: float | str = ADC_MAX,
    ) -> None:
        self._adc_max = positive("adc_max", adc_max)
        scale = 2 * 2.4e6 / 3.5 / self._adc_max if uv_per_lsb is None else uv_per_lsb
        super().__init__((ADS1293,), ("I", "II", "V1"), rate, scale)

    def _counts(self, ecg: Sequence[int]) -> Sequence[float] | None:
        codes = [value & 0xFFFFFF for value in ecg]
        if max(ecg) >= 1 << 23 or min(ecg) < -(1 << 23) or max(codes) > self._adc_max:
            return None
        return [code - self._adc_max / 2 for code in codes]


class Max30001Decoder(OpenViewDecoder):
    """MAX30001 breakout on an Arduino: ECG of one lead, about 125 Hz; 57,600 baud.

    The sketch waits 8 ms after each sample, so that some 119 to 125 a second come: measure and
    give `rate`. Libraries pack the 18 bits at the right end or, wrongly, at the left (16 bits
    above, 2 below); which one speaks shows in the first count that can be only one of both.
    Bioimpedance comes as a reading. It tells no contact; no loss shows but by a late arrival.

    uv_per_lsb: 0.09537 for gain 80, the data sheet's meaning of the register (CNFG_ECG
    0x825000); the library's comments differ, so calibrate. Source:
    protocentral_max30001_arduino_library. Spec-tested, not capture-tested.
    """

    serial = SerialProfile(57_600, ARDUINO_START_S)

    def __init__(self, rate: float | str = 125.0, uv_per_lsb: float | str | None = None) -> None:
        super().__init__((MAX30001,), ONE_LEAD, rate, uv_per_lsb)
        self._is_left = False

    def _counts(self, ecg: Sequence[int]) -> Sequence[float] | None:
        value = ecg[0]
        can_be_left = not value & MAX_PADDING
        can_be_right = -(1 << CODE_BITS - 1) <= value < 1 << CODE_BITS - 1
        if can_be_left != can_be_right:
            self._is_left = can_be_left
        if not (can_be_left or can_be_right):
            return None
        return (_from_left(value),) if self._is_left else (value,)


class Max30003Decoder(OpenViewDecoder):
    """MAX30003 breakout on an Arduino: ECG of one lead, about 125 Hz; 57,600 baud.

    The chip takes 128 samples a second, the sketch sends 119 to 125 of them: measure and give
    `rate`. The library packs the 18 bits wrongly: the upper 16 into the upper half of the count,
    the lower 2 into its lowest bits; what has other bits set is bad. A sketch whose packets say
    17 bytes is understood too; one that says 12 but means those is not. Heart rate and RR
    interval come as readings. It tells no contact; no loss shows but by a late arrival.

    uv_per_lsb: 0.3815 for gain 20 (CNFG_ECG 0x805000). Source: protocentral_max30003, examples
    and src. Spec-tested, not capture-tested.
    """

    serial = SerialProfile(57_600, ARDUINO_START_S)

    def __init__(self, rate: float | str = 125.0, uv_per_lsb: float | str | None = None) -> None:
        super().__init__(MAX30003, ONE_LEAD, rate, uv_per_lsb)

    def _counts(self, ecg: Sequence[int]) -> Sequence[float] | None:
        return None if ecg[0] & MAX_PADDING else (_from_left(ecg[0]),)


def _from_left(value: int) -> int:
    """The 18 bits of a count that the library packed at the left."""
    return (value >> 16 << 2) | (value & 0b11)
