"""Where the figures for Prometheus are served: the `[metrics]` table of the configuration."""

from __future__ import annotations

import msgspec

from firmware_bridge.errors import SourceUriError
from firmware_bridge.transports.sockets import Endpoint

__all__ = ["MetricsSettings"]

EXAMPLE = "127.0.0.1:9464"


class MetricsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Served over HTTP, without encryption and to whoever asks; off unless `listen` is set.

    listen: `HOST:PORT`, such as 127.0.0.1:9464; port 0 for any that is free.
    allow_remote: other addresses than loopback are allowed.
    vital_signs: heart rates are among the figures.
    """

    listen: str = ""
    allow_remote: bool = False
    vital_signs: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError that names the field and what it should be."""
        if self.listen and not self.endpoint.is_loopback and not self.allow_remote:
            raise ValueError(
                f"metrics: {self.listen} can be reached from other machines, by whoever asks: "
                f"listen on {EXAMPLE}, or set allow_remote = true"
            )

    @property
    def endpoint(self) -> Endpoint:
        """Host and port. Raises ValueError for a text that names none."""
        try:
            return Endpoint.parse(self.listen, "metrics")
        except SourceUriError:
            raise ValueError(
                f"metrics: listen = {self.listen!r} names no address: write HOST:PORT, such as "
                f"{EXAMPLE}"
            ) from None
