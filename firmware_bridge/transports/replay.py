"""Recordings as live sources: through the native wire format, at any speed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from firmware_bridge.capture import is_capture, read_capture
from firmware_bridge.devices import make_decoder
from firmware_bridge.errors import SourceError, SourceUriError
from firmware_bridge.native import NativeDecoder
from firmware_bridge.pacing import PacedTransport, TimedBytes, parse_speed
from firmware_bridge.protocols import Transport
from firmware_bridge.pseudo_terminal import PseudoTerminal, PseudoTerminalFeeder
from firmware_bridge.records import read_record
from firmware_bridge.source import Source, SourceUri
from firmware_bridge.stream import Packet
from firmware_bridge.transports.record_frames import record_frames
from firmware_bridge.transports.serial_port import SerialTransport

__all__ = ["SerialReplayTransport", "open_replay"]


class SerialReplayTransport:
    """Timed bytes through a pseudo-terminal and the serial transport, as from a real device.

    Not a byte is lost at any speed: a slow reader holds the feeding up. Arrival times are
    stretched to the stream's own time where `speed` is not 1, as PacedTransport does it.
    """

    def __init__(self, name: str, items: Iterable[TimedBytes], speed: float | None = 1.0) -> None:
        self._name = name
        self._items = items
        self._speed = speed
        self._ledger = _Ledger()
        self._feeder: PseudoTerminalFeeder | None = None
        self._port: SerialTransport | None = None
        self._start_ns: int | None = None

    @property
    def name(self) -> str:
        """The name that it was given, and the port it goes through."""
        return f"{self._name} via {self._port.name}" if self._port else self._name

    def open(self) -> None:
        """Make the pseudo-terminal, open it and begin to feed it; once only."""
        if self._feeder is not None:
            raise SourceError(f"{self._name}: a replay through a port cannot be opened again")
        terminal = PseudoTerminal()
        self._feeder = PseudoTerminalFeeder(terminal)
        self._port = SerialTransport(terminal.path)
        self._port.open()
        self._feeder.feed(self._ledger.noting(self._items), self._speed)

    def read(self, timeout_s: float) -> Packet | None:
        """What the port gives; EOFError once everything that was fed has been read."""
        if self._port is None or self._feeder is None:
            raise SourceError(f"{self._name} is closed; open it before reading")
        done = self._feeder.finished  # before the read: what was fed until now will be read
        packet = self._port.read(0.0 if done else min(timeout_s, _POLL_S))
        if packet is not None:
            return self._stamped(packet)
        if done and self._ledger.read_bytes >= self._feeder.given_bytes:
            self._feeder.wait(0)  # raises what ended the feeding early
            raise EOFError(f"{self._name} has ended")
        return None

    def write(self, data: bytes) -> None:
        """Ignored: a recorded device takes no commands."""

    def close(self) -> None:
        """Close the port and end the feeding."""
        if self._port is not None:
            self._port.close()
        if self._feeder is not None:
            self._feeder.stop()

    def _stamped(self, packet: Packet) -> Packet:
        due_ns = self._ledger.due_ns(len(packet.data))
        if self._speed == 1.0:
            return packet
        if self._start_ns is None:
            self._start_ns = packet.host_time_ns - due_ns
        return Packet(packet.data, self._start_ns + due_ns)


_POLL_S = 0.05
"""Longest wait for a byte, so that the end of the feeding is noticed."""


class _Ledger:
    """Which byte of the stream was due when: written by the feeder, read by the reader."""

    def __init__(self) -> None:
        self.read_bytes = 0
        self._noted_bytes = 0
        self._due: deque[tuple[int, int]] = deque()
        self._last_ns = 0

    def noting(self, items: Iterable[TimedBytes]) -> Iterator[TimedBytes]:
        """The items, each noted before it is fed."""
        for item in items:
            self._noted_bytes += len(item.data)
            self._due.append((self._noted_bytes, item.due_ns))
            yield item

    def due_ns(self, count: int) -> int:
        """When the last whole item of the next `count` bytes was due."""
        self.read_bytes += count
        while self._due and self._due[0][0] <= self.read_bytes:
            self._last_ns = self._due.popleft()[1]
        return self._last_ns


def open_replay(uri: SourceUri) -> Source:
    """Source of `replay:PATH?speed=1&via=serial&lead=0,1`; a recording is read now.

    A raw capture plays back packet by packet through the decoder of its device; `via` and
    `lead` are for recordings only.
    """
    if not uri.target:
        raise SourceUriError("replay: names no recording; write replay:PATH, such as replay:100")
    if is_capture(Path(uri.target)):
        return _open_capture(uri)
    record = read_record(Path(uri.target))
    if "lead" in uri.options:
        record = record.select(uri.options["lead"])
    speed = parse_speed(uri.get("speed", "1"))
    frames = record_frames(record)
    transport: Transport
    if uri.options.get("via") == "serial":
        transport = SerialReplayTransport(record.name, frames, speed)
    else:
        transport = PacedTransport(record.name, frames, speed)
    return Source(
        uri=_text(uri),
        transport=transport,
        decoder=NativeDecoder(record.leads),
        finite=True,
        description=(
            f"replay of {record.name}: {record.duration_s:.1f} s, {record.rate_hz:g} Hz, "
            f"{', '.join(record.leads)}"
        ),
    )


def _open_capture(uri: SourceUri) -> Source:
    for option in ("via", "lead"):
        if option in uri.options:
            raise SourceUriError(f"replay: {uri.target} is a raw capture, which takes no {option}=")
    header, packets = read_capture(Path(uri.target))
    name = Path(uri.target).name
    return Source(
        uri=_text(uri),
        transport=PacedTransport(name, packets, parse_speed(uri.get("speed", "1"))),
        decoder=make_decoder(header.device, **header.options),
        finite=True,
        description=f"replay of the capture {name} of {header.uri or header.device}",
    )


def _text(uri: SourceUri) -> str:
    options = "&".join(f"{name}={value}" for name, value in uri.options.items())
    return f"replay:{uri.target}?{options}" if options else f"replay:{uri.target}"
