"""From a configuration to parts that run: the one place where the rooms meet."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from edge.alarm.extension import ExtendedAlarms, installed_rules
from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import AlarmMachine
from edge.alarm.patient import AlarmSetup, PatientAlarms
from edge.bundles import NO_BUNDLE, Bundles
from edge.clock import Clock
from edge.config import Config, Patient, Signal
from edge.encoder_lease import EncoderFactory
from edge.monitor import Monitor
from edge.pipeline import Pipeline
from edge.runtime import Runtime
from edge.segment import SegmentSettings
from firmware_bridge.source import Source, open_source

__all__ = [
    "NO_BUNDLE",
    "AlarmsFor",
    "add_patients",
    "alarm_setup",
    "alarms",
    "encoder_factory",
    "fresh_alarms",
    "pipeline",
    "segment_settings",
]

AlarmsFor = Callable[[Patient, Source], PatientAlarms]
"""Makes the alarms of one patient, watched through this source."""


def alarm_setup(patient: Patient) -> AlarmSetup:
    """Alarms as configured, those of installed packages among them."""
    rules = installed_rules(patient.limits)
    return AlarmSetup(patient.limits, patient.attendance, patient.adjustable, rules)


def fresh_alarms(patient: Patient, _: Source) -> PatientAlarms:
    """Alarms of a patient of whom nothing is known."""
    return PatientAlarms.begin(alarm_setup(patient), uuid.uuid4().hex)


def add_patients(
    runtime: Runtime,
    config: Config,
    bundles: Bundles,
    clock: Clock,
    open_with: Callable[[str], Source] = open_source,
    alarms_for: AlarmsFor = fresh_alarms,
) -> None:
    """Put every configured patient under watch.

    Raises SourceError or ModelError for what cannot be had.
    """
    for patient in config.patient:
        source = open_with(patient.source)
        monitor = Monitor(
            patient=patient,
            device=patient.device or source.transport.name,
            pipeline=pipeline(source, patient, config, bundles, alarms_for),
            clock=clock,
            on_step=runtime.stepped,
            on_link=runtime.link_changed,
            finite=source.finite,
        )
        runtime.add(monitor, source)


def pipeline(
    source: Source,
    patient: Patient,
    config: Config,
    bundles: Bundles,
    alarms_for: AlarmsFor = fresh_alarms,
) -> Pipeline:
    """The pipeline of one patient, who stays watched where a stream has no encoder that can hear
    it; of a recording that is an error."""
    return Pipeline(
        source.decoder,
        alarms_for(patient, source),
        segment_settings(config.signal),
        bundles.encoder_for(config.bundle_of(patient)),
        encoder_is_optional=not source.finite,
    )


def alarms(limits: AlarmLimits) -> ExtendedAlarms:
    """Alarm conditions that nobody attends to: none latches, is repeated or rises."""
    session = uuid.uuid4().hex
    return ExtendedAlarms(AlarmMachine(limits, session), installed_rules(limits), session)


def segment_settings(signal: Signal) -> SegmentSettings:
    """Conditioning as configured."""
    return SegmentSettings(
        signal.highpass_hz, signal.lowpass_hz, signal.mains_hz, signal.bridge_ms / 1000
    )


def encoder_factory(bundle_name: str, device: str) -> EncoderFactory:
    """Makes the networks of one stream format; the bundle is verified here, once.

    Raises ModelError where the bundle cannot be trusted.
    """
    return Bundles(device).encoder_for(bundle_name)
