"""Which broker a command line names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import UsageError

if TYPE_CHECKING:
    from edge.mqtt_settings import MqttSettings

__all__ = ["BROKER", "broker_settings"]

BROKER = "URI|CONFIG.toml"
"""What `--mqtt` takes where a password, TLS or MQTT 3.1.1 may be needed."""


def broker_settings(named: str) -> MqttSettings:
    """The broker of a URI, or of the [mqtt] table of a file. Raises ConfigError, UsageError."""
    from edge.config import load, mqtt_settings

    path = Path(named)
    if "://" in named or not (path.suffix == ".toml" or path.is_file()):
        return mqtt_settings(named)
    settings = load(path).mqtt
    if settings is None:
        raise UsageError(f"--mqtt {named}: it has no [mqtt] table")
    return settings
