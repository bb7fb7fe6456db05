"""The virtual patch as a source."""

from __future__ import annotations

from firmware_bridge.errors import SourceUriError
from firmware_bridge.native import NativeDecoder
from firmware_bridge.pacing import parse_speed
from firmware_bridge.patch.sim_transport import SimTransport
from firmware_bridge.source import Source, SourceUri

__all__ = ["open_sim"]


def open_sim(uri: SourceUri) -> Source:
    """Source of `sim:?scenario=af&leads=1&fs=250&seed=1`; options as the virtual patch has them."""
    if uri.target:
        raise SourceUriError(f"sim:{uri.target}: write it as sim:?scenario=NAME&OPTION=VALUE")
    transport = SimTransport.from_options(uri.options)
    config = transport.patch.config
    options = "&".join(f"{name}={value}" for name, value in uri.options.items())
    return Source(
        uri=f"sim:?{options}" if options else "sim:",
        transport=transport,
        decoder=NativeDecoder(config.lead_names),
        finite=config.duration_s is not None,
        description=transport.name,
        real_time=parse_speed(uri.options.get("speed", "1")) == 1.0,
    )
