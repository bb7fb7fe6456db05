"""From a configuration to parts that run: the one place where the rooms meet."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from edge.alarm.extension import ExtendedAlarms, installed_rules
from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import AlarmMachine
from edge.clock import Clock
from edge.config import Config, Patient, Signal
from edge.monitor import Monitor
from edge.networks import Networks
from edge.pipeline import EncoderFactory, Pipeline
from edge.runtime import Runtime
from edge.segment import SegmentSettings
from firmware_bridge.source import Source, open_source
from firmware_bridge.stream import StreamFormat
from models.beat_stage import BeatStage
from models.bundle import Bundle, load_bundle
from models.registry import open_encoder

NO_BUNDLE = "none"
"""The bundle name that means: rules without an encoder."""


def add_patients(
    runtime: Runtime,
    config: Config,
    clock: Clock,
    open_with: Callable[[str], Source] = open_source,
) -> None:
    """Put every configured patient under watch.

    Raises SourceError or ModelError for what cannot be had.
    """
    for patient in config.patient:
        source = open_with(patient.source)
        monitor = Monitor(
            patient=patient,
            device=patient.device or source.transport.name,
            pipeline=pipeline(source, patient, config),
            clock=clock,
            on_step=runtime.stepped,
            on_link=runtime.link_changed,
        )
        runtime.add(monitor, source)


def pipeline(source: Source, patient: Patient, config: Config) -> Pipeline:
    """The pipeline of one patient."""
    return Pipeline(
        source.decoder,
        alarms(patient.limits),
        segment_settings(config.signal),
        encoder_factory(patient.bundle or config.encoder.bundle, config.encoder.device),
    )


def alarms(limits: AlarmLimits) -> ExtendedAlarms:
    """The alarms of one patient, those of installed packages among them."""
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
    if bundle_name == NO_BUNDLE:
        return lambda _: None
    bundle = load_bundle(bundle_name)
    _networks(bundle, bundle.manifest.input.leads_min, device)

    def networks_for(form: StreamFormat) -> Networks:
        heard = min(len(form.leads), bundle.manifest.input.leads_max)
        return _networks(bundle, heard, device)

    return networks_for


def _networks(bundle: Bundle, leads: int, device: str) -> Networks:
    stage = BeatStage(bundle) if bundle.manifest.beat_stage else None
    return Networks(open_encoder(bundle, leads, device), stage)
