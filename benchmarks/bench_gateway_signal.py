"""What the patches of the gateway benchmark send, and which alarms that must bring.

One lead at 250 Hz in native frames of 25 samples. Of the patients that are to raise alarms the
electrodes come off and on every two seconds; all others are in calm sinus rhythm.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edge.alarm.limits import AlarmLimits
from edge.assemble import pipeline
from edge.bundles import Bundles
from edge.config import Config, Patient
from firmware_bridge.native import encode_frame
from firmware_bridge.patch.ecg_model import EcgModel
from firmware_bridge.patch.scenarios import scenario_named
from firmware_bridge.source import open_source
from firmware_bridge.stream import NS_PER_S, Packet

__all__ = [
    "FRAME_NS",
    "RATE_HZ",
    "SAMPLES",
    "TOGGLES_HZ",
    "Alarm",
    "expected_alarms",
    "frames",
    "patient",
]

RATE_HZ = 250
SAMPLES = 25
SCALE_NV = 1000
FRAME_NS = SAMPLES * NS_PER_S // RATE_HZ
FRAMES_A_TOGGLE = 20
TOGGLES_HZ = RATE_HZ / (FRAMES_A_TOGGLE * SAMPLES)
NEVER = 1 << 62
JUDGED_FROM = 10 * RATE_HZ // SAMPLES
"""Frames of the first ten seconds: a patch that begins late ends an alarm of silence first, and
its first alarms come when that is over."""
LIMITS = AlarmLimits(lead_off_s=1.0, end_s=1.0, refractory_s=0.0)
"""So that each toggling of the electrodes is an alarm, or the end of one."""

Alarm = tuple[str, str, int | None]
"""Kind and phase of an alert message, and the device's clock at the onset, nanoseconds."""


def frames(count: int, seed: int, toggling: bool) -> list[bytes]:
    """The first `count` frames of one patch, as they go over the wire."""
    model = EcgModel(scenario_named("sinus"), rate_hz=RATE_HZ, seed=seed)
    every = FRAMES_A_TOGGLE if toggling else NEVER
    return [_frame(model, number, number // every % 2) for number in range(count)]


def patient(name: str, source: str) -> Patient:
    """One patient of the gateway."""
    return Patient(id=name, source=source, limits=LIMITS)


def expected_alarms(sent: list[bytes], config: Config) -> dict[Alarm, int]:
    """The alert messages that these frames bring after ten seconds, each with the number of the
    frame that provokes it; for the same bytes give the same alerts."""
    return {alarm: frame for alarm, frame in _raised(sent, config) if frame >= JUDGED_FROM}


def _raised(sent: list[bytes], config: Config) -> Iterator[tuple[Alarm, int]]:
    first = config.patient[0]
    source = open_source("sim:?fs=250&leads=1")
    path = pipeline(source, first, config, Bundles(config.encoder.device))
    path.resume(0)
    for number, data in enumerate(sent):
        for alert in path.push(Packet(data, number * FRAME_NS)).alerts:
            onset_ns = path.anchor.device_time_ns(alert.onset_ns) if path.anchor else None
            yield (str(alert.kind), str(alert.phase), onset_ns), number


def _frame(model: EcgModel, number: int, lead_off: int) -> bytes:
    samples_uv, _ = model.read(SAMPLES)
    return encode_frame(
        np.rint(samples_uv * 1000 / SCALE_NV).astype(np.int32),
        rate_hz=RATE_HZ,
        scale_nv=SCALE_NV,
        sequence=number * SAMPLES,
        device_time_us=number * FRAME_NS // 1000,
        lead_off=lead_off,
    )
