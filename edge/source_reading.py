"""Reading a source once, start to end, for commands that watch a device for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from edge.clock import Clock
from firmware_bridge.errors import SourceError
from firmware_bridge.source import Source
from firmware_bridge.stream import NS_PER_S, Packet

READ_S = 0.2


def packets(source: Source, for_s: float | None, clock: Clock) -> Iterator[Packet]:
    """Packets of the opened and started source until it ends or `for_s` seconds have passed.

    The device is told to rest and the link closed in any case. Raises SourceError where the source
    cannot be opened or breaks.
    """
    until_ns = None if for_s is None else clock.monotonic_ns() + round(for_s * NS_PER_S)
    source.transport.open()
    try:
        for command in source.decoder.start_commands():
            source.transport.write(command)
        yield from _until(source, until_ns, clock)
    finally:
        with contextlib.suppress(SourceError):
            for command in source.decoder.stop_commands():
                source.transport.write(command)
        source.transport.close()


def _until(source: Source, until_ns: int | None, clock: Clock) -> Iterator[Packet]:
    while until_ns is None or clock.monotonic_ns() < until_ns:
        try:
            packet = source.transport.read(READ_S)
        except EOFError:
            return
        if packet is not None:
            yield packet
