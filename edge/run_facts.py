"""What a run says of itself at its start: version, encoder, broker, recording."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from edge.bundles import NO_BUNDLE
from edge.config import Config
from edge.publish import Publisher
from models.bundle import Bundle, load_bundle

__all__ = ["facts"]

FIRST_CONNECT_S = 1.0


def facts(config: Config, publisher: Publisher | None) -> dict[str, Any]:
    """The facts by name. Waits a moment for the publisher's first connection."""
    return {
        "version": version("edge"),
        "encoder": _encoder(config),
        "broker": _broker(config, publisher),
        "recording": config.record.directory or None,
    }


def _encoder(config: Config) -> str:
    names = {config.bundle_of(patient) for patient in config.patient}
    return "; ".join(_bundle(name, config.encoder.device) for name in sorted(names))


def _bundle(name: str, device: str) -> str:
    from models.registry import open_encoder

    if name == NO_BUNDLE:
        return "none: alarms from rules alone"
    bundle = load_bundle(name)
    manifest = bundle.manifest
    providers = ", ".join(open_encoder(bundle, manifest.input.leads_min, device).providers)
    return (
        f"{manifest.name} {manifest.version} ({bundle.sha256[:12]}), "
        f"{manifest.runtime.parameters:,} parameters, on {providers}{_chosen(bundle, device)}"
    )


def _chosen(bundle: Bundle, device: str) -> str:
    """By which times `auto` chose among the devices; empty where nothing was measured here."""
    from models.device_record import ranking

    best = ranking(bundle.sha256) if device == "auto" else ()
    times = [f"{each.device} {each.step_us:.0f}" for each in best if each.step_us]
    return f" (measured, us a hop: {', '.join(times)})" if times else ""


def _broker(config: Config, publisher: Publisher | None) -> str:
    if config.mqtt is None or publisher is None:
        return "none: alerts are shown here only (--mqtt URI publishes them)"
    first = publisher.first_connect(FIRST_CONNECT_S)
    where = f"{config.mqtt.endpoint}, topics below {config.mqtt.base}/"
    if first.connected:
        return f"{where}, connected"
    return f"{where}: {first.reason}; alerts are stored and sent later"
