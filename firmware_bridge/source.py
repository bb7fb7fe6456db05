"""From a source URI to a source: a transport and the decoder of what it brings."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from firmware_bridge.errors import SourceError
from firmware_bridge.protocols import Decoder, Transport
from firmware_bridge.source_uri import SCHEMES, SourceUri, parse_uri, redact, third_party

__all__ = ["Source", "SourceUri", "open_source", "parse_uri", "redact"]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Where samples come from.

    uri: as given, without secrets. finite: ends by itself (EOFError of the transport).
    data_channels: the channels whose silence means a stall; empty if all packets carry samples.
    first_data_s: how long the first data may take after opening. settle_s: from opening until the
    device hears commands. real_time: what it delivers has just happened. description: for people.
    """

    uri: str
    transport: Transport
    decoder: Decoder
    finite: bool
    description: str
    data_channels: tuple[str, ...] = ()
    first_data_s: float = 10.0
    settle_s: float = 0.0
    real_time: bool = True


def open_source(uri: str) -> Source:
    """The source that a URI names; its transport is made, but not opened yet.

    Raises SourceUriError where the URI is wrong, SourceError where the source cannot be had.
    """
    parsed = parse_uri(uri)
    scheme = SCHEMES.get(parsed.scheme)
    if scheme is None:
        opener = third_party()[parsed.scheme].load()
    else:
        opener = getattr(importlib.import_module(scheme.module), scheme.function)
    source = opener(parsed)
    if not isinstance(source, Source):
        raise SourceError(f"source {parsed.scheme}: its plugin returned no Source but {source!r}")
    return source
