"""Reading a source once, start to end, for commands that watch a device for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator

from edge.clock import Clock
from firmware_bridge.conversation import Conversation
from firmware_bridge.errors import SourceError
from firmware_bridge.source import Source
from firmware_bridge.stream import NS_PER_S, Packet
from firmware_bridge.watchdog import Doubts, LinkTiming

READ_S = 0.2

Written = Callable[[bytes, int], None]
"""Takes what was written to the device, and when: host monotonic clock, nanoseconds."""


def packets(
    source: Source,
    for_s: float | None,
    clock: Clock,
    on_open: Callable[[], None] = lambda: None,
    on_write: Written | None = None,
) -> Generator[Packet, None, None]:
    """Packets of the opened and started source until it ends or `for_s` seconds have passed.

    Whoever takes them runs the decoder, as a device may have to be answered. on_open: called once
    the link is open. The device is told to rest and the link closed in any case. Raises
    SourceError where the source cannot be opened, breaks, or refuses a command.
    """

    def command(commands: Iterable[bytes]) -> None:
        for each in commands:
            source.transport.write(each)
            if on_write:
                on_write(each, clock.monotonic_ns())

    until_ns = None if for_s is None else clock.monotonic_ns() + round(for_s * NS_PER_S)
    source.transport.open()
    try:
        on_open()
        yield from _until(source, until_ns, clock, command)
    finally:
        with contextlib.suppress(SourceError):
            command(source.decoder.stop_commands())
        source.transport.close()


def _until(
    source: Source,
    until_ns: int | None,
    clock: Clock,
    command: Callable[[Iterable[bytes]], None],
) -> Iterator[Packet]:
    talk = Conversation(source.decoder, clock.monotonic_ns(), source.settle_s)
    doubts = Doubts(source.decoder, LinkTiming().unreadable_bytes)
    while until_ns is None or clock.monotonic_ns() < until_ns:
        command(talk.due(clock.monotonic_ns()))
        try:
            packet = source.transport.read(talk.wait_s(clock.monotonic_ns(), READ_S))
        except EOFError:
            return
        if packet is not None:
            yield packet
        doubts.complaint()
