"""The figures of the QRS rules.

Tuned on DS1 of the MIT-BIH Arrhythmia Database (first signal; clean, and with electrode motion
of the MIT-BIH Noise Stress Test Database at 6 dB) and checked for ventricular tachycardia on
records 418 to 430 of the MIT-BIH Malignant Ventricular Ectopy Database; on nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from edge.biquad import Sections, butterworth_highpass, butterworth_lowpass, group_delay_s
from edge.kernels.qrs_state import CONFIG


@dataclass(frozen=True, slots=True)
class QrsSettings:
    """Times and ratios of the rules, as `edge.kernels.qrs_state.CONFIG` explains them; the
    defaults hold for 100 to 1000 Hz.

    floor_uv: least energy (mean slope over 10 ms in the QRS band, microvolts) that counts as
        a QRS at all. A 0.2 mV complex, 60 to 120 ms wide, has 18 to 34; white noise of
        15 microvolts rms stays below it.
    closest_ms: below the 200 ms between beats at 300 bpm.
    """

    band_hz: tuple[float, float] = (6.6, 16.5)
    step_ms: float = 12.0
    width_ms: float = 30.0
    reach_ms: float = 80.0
    summit_ms: float = 95.0
    closest_ms: float = 185.0
    blank_ms: float = 240.0
    alike: float = 1.2
    t_window_ms: float = 355.0
    learn_ms: float = 2000.0
    patience_ms: float = 1500.0
    longest_ms: float = 4000.0
    half_life_ms: float = 400.0
    fast_halvings: float = 1.5
    slowdown: float = 20.0
    level: float = 0.395
    t_slope: float = 0.68
    one_sided: float = 8.0
    back_rr: float = 1.6
    back_level: float = 0.76
    clip: float = 2.4
    floor_uv: float = 16.0


def band_pass(settings: QrsSettings, rate_hz: float) -> Sections:
    """The filter that lets the QRS complex through and little else."""
    low_hz, high_hz = settings.band_hz
    return np.concatenate(
        [butterworth_highpass(2, low_hz, rate_hz), butterworth_lowpass(2, high_hz, rate_hz)]
    )


def packed(settings: QrsSettings, rate_hz: float) -> NDArray[np.void]:
    """The settings in samples of `rate_hz`, as the kernels read them: one CONFIG record."""
    config = np.zeros(1, CONFIG)
    for field in fields(settings):
        name, _, unit = field.name.rpartition("_")
        value = getattr(settings, field.name)
        if unit == "ms":
            config[name] = max(1, round(value * rate_hz / 1000.0))
        elif unit == "uv":
            config[name] = value
        elif unit != "hz":
            config[field.name] = value
    step, width = int(config["step"][0]), int(config["width"][0])
    centre_hz = math.sqrt(settings.band_hz[0] * settings.band_hz[1])
    delay = group_delay_s(band_pass(settings, rate_hz), centre_hz, rate_hz) * rate_hz
    config["delay"] = round(delay)
    config["lag"] = round(delay + step / 2 + width / 2)
    config["scale"] = rate_hz / 100.0 / step
    return config


__all__ = ["QrsSettings", "band_pass", "packed"]
