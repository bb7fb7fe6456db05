"""Captures: the raw bytes of a source, packet by packet, as they arrived.

File format: one line of JSON that begins with `{"edge_capture": 1`, then records, little-endian:
u64 nanoseconds since the capture began, u8 length of the channel's name, u32 length of the data,
the name in UTF-8, the data. A file that ends within a record, as one of a killed process does, is
read up to it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from firmware_bridge.errors import SourceError
from firmware_bridge.pacing import TimedBytes
from firmware_bridge.stream import Packet

__all__ = ["CaptureHeader", "CaptureWriter", "is_capture", "read_capture"]

VERSION = 1
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
    """Writes packets to a file that did not exist before."""

    def __init__(self, path: Path, header: CaptureHeader) -> None:
        """Raises SourceError where the file exists or cannot be made."""
        try:
            self._file = path.open("xb")
        except FileExistsError:
            raise SourceError(f"{path} exists; captures never overwrite a file") from None
        except OSError as error:
            raise SourceError(f"{path}: cannot be written: {error.strerror}") from None
        head = {"edge_capture": VERSION, **asdict(header)}
        self._file.write(json.dumps(head).encode() + b"\n")
        self._start_ns: int | None = None

    def write(self, packet: Packet) -> None:
        """Append a packet."""
        if self._start_ns is None:
            self._start_ns = packet.host_time_ns
        channel = packet.channel.encode()
        since_ns = max(0, packet.host_time_ns - self._start_ns)
        self._file.write(RECORD.pack(since_ns, len(channel), len(packet.data)))
        self._file.write(channel + packet.data)

    def close(self) -> None:
        """Complete the file."""
        self._file.close()


def is_capture(path: Path) -> bool:
    """Whether the file begins as a capture does."""
    try:
        with path.open("rb") as file:
            return file.read(len(BEGINS)) == BEGINS
    except OSError:
        return False


def read_capture(path: Path) -> tuple[CaptureHeader, Iterator[TimedBytes]]:
    """The header, and the packets one by one. Raises SourceError for what is no capture."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        header = _header(path, file.readline(MAX_HEADER_BYTES))
    except SourceError:
        file.close()
        raise
    return header, _packets(path, file)


def _header(path: Path, line: bytes) -> CaptureHeader:
    try:
        head = json.loads(line)
        version = head.pop("edge_capture")
        header = CaptureHeader(**head)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise SourceError(f"{path}: its first line is no capture header") from None
    if version != VERSION:
        raise SourceError(f"{path}: capture version {version}, expected {VERSION}")
    return header


def _packets(path: Path, file: BinaryIO) -> Iterator[TimedBytes]:
    with file:
        last_ns = 0
        while len(head := file.read(RECORD.size)) == RECORD.size:
            due_ns, name_bytes, data_bytes = RECORD.unpack(head)
            if data_bytes > MAX_DATA_BYTES or due_ns < last_ns:
                raise SourceError(f"{path}: damaged at byte {file.tell() - RECORD.size}")
            body = file.read(name_bytes + data_bytes)
            if len(body) < name_bytes + data_bytes:
                return
            last_ns = due_ns
            channel = body[:name_bytes].decode("utf-8", "replace")
            yield TimedBytes(body[name_bytes:], due_ns, channel)
