"""Captures: the raw bytes of a source, packet by packet, as they arrived.

File format: one line of JSON that begins with `{"edge_capture": 2`, then records, little-endian:
u64 nanoseconds since the capture began, u8 length of the channel's name, u32 length of the data,
the name in UTF-8, the data. What was written to the device stands under the channel `>`; version 1
has no such records. A file that ends within a record, as one of a killed process does, is read up
to it.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from firmware_bridge.errors import SourceError
from firmware_bridge.pacing import TimedBytes
from firmware_bridge.stream import NS_PER_S, Packet

__all__ = ["CaptureHeader", "CaptureWriter", "commands_of", "is_capture", "read_capture"]

VERSION = 2
READABLE = (1, 2)
WRITTEN = ">"
SYNC_NS = 5 * NS_PER_S
"""How much a power cut may cost."""
BEGINS = b'{"edge_capture": '
MAX_HEADER_BYTES = 64 * 1024
MAX_DATA_BYTES = 16 * 1024 * 1024
RECORD = struct.Struct("<QBI")


@dataclass(frozen=True, slots=True)
class CaptureHeader:
    """What plays the bytes back: the decoder's name and options. uri: the source, no secrets."""

    device: str
    options: dict[str, str] = field(default_factory=dict)
    uri: str = ""


class CaptureWriter:
    """Writes packets to a file that did not exist before.

    Each is with the operating system when `write` returns, and on the disk some seconds later: a
    process that is killed costs nothing, a power cut a few seconds.
    """

    def __init__(self, path: Path, header: CaptureHeader) -> None:
        """Raises SourceError where the file exists or cannot be made."""
        self._path = path
        try:
            self._file = path.open("xb", buffering=0)
        except FileExistsError:
            raise SourceError(f"{path} exists; captures never overwrite a file") from None
        except OSError as error:
            raise SourceError(f"{path}: cannot be written: {error.strerror}") from None
        self._start_ns: int | None = None
        self._synced_ns = 0
        self._append(json.dumps({"edge_capture": VERSION, **asdict(header)}).encode() + b"\n")

    def write(self, packet: Packet) -> None:
        """Append a packet. Raises SourceError where the file takes no more, on a full disk say."""
        self._record(packet.data, packet.host_time_ns, packet.channel)

    def wrote(self, data: bytes, at_ns: int) -> None:
        """Append what was written to the device at that host monotonic time."""
        self._record(data, at_ns, WRITTEN)

    def close(self) -> None:
        """Complete the file."""
        self._file.close()

    def _record(self, data: bytes, at_ns: int, name: str) -> None:
        if self._start_ns is None:
            self._start_ns = self._synced_ns = at_ns
        channel = name.encode()
        head = RECORD.pack(max(0, at_ns - self._start_ns), len(channel), len(data))
        self._append(head + channel + data)
        if at_ns - self._synced_ns >= SYNC_NS:
            self._synced_ns = at_ns
            os.fsync(self._file.fileno())

    def _append(self, data: bytes) -> None:
        try:
            written = self._file.write(data)
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError as error:
            raise SourceError(f"{self._path}: cannot be written: {error.strerror}") from None


def is_capture(path: Path) -> bool:
    """Whether the file begins as a capture does."""
    try:
        with path.open("rb") as file:
            return file.read(len(BEGINS)) == BEGINS
    except OSError:
        return False


def read_capture(path: Path) -> tuple[CaptureHeader, Iterator[TimedBytes]]:
    """The header, and the packets one by one. Raises SourceError for what is no capture."""
    header, records = _open(path)
    return header, _packets(path, records)


def commands_of(path: Path) -> Iterator[TimedBytes]:
    """What was written to the device, in order. Raises SourceError for what is no capture."""
    return (each for each in _open(path)[1] if each.channel == WRITTEN)


def _open(path: Path) -> tuple[CaptureHeader, Iterator[TimedBytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        header = _header(path, file.readline(MAX_HEADER_BYTES))
    except SourceError:
        file.close()
        raise
    return header, _records(path, file)


def _header(path: Path, line: bytes) -> CaptureHeader:
    try:
        head = json.loads(line)
        version = head.pop("edge_capture")
        header = CaptureHeader(**head)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise SourceError(f"{path}: its first line is no capture header") from None
    if version not in READABLE:
        raise SourceError(f"{path}: capture version {version}; this release reads {READABLE}")
    return header


def _packets(path: Path, records: Iterator[TimedBytes]) -> Iterator[TimedBytes]:
    last_ns = 0
    for number, record in enumerate(records, 1):
        if record.channel == WRITTEN:
            continue
        if record.due_ns < last_ns:
            raise SourceError(
                f"{path}: damaged at record {number}: it is older than the one before"
            )
        last_ns = record.due_ns
        yield record


def _records(path: Path, file: BinaryIO) -> Iterator[TimedBytes]:
    with file:
        while len(head := file.read(RECORD.size)) == RECORD.size:
            due_ns, name_bytes, data_bytes = RECORD.unpack(head)
            if data_bytes > MAX_DATA_BYTES:
                raise SourceError(f"{path}: damaged at byte {file.tell() - RECORD.size}")
            body = file.read(name_bytes + data_bytes)
            if len(body) < name_bytes + data_bytes:
                return
            channel = body[:name_bytes].decode("utf-8", "replace")
            yield TimedBytes(body[name_bytes:], due_ns, channel)
