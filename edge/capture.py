"""From a source to a capture file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.clock import Clock
from edge.source_reading import packets
from firmware_bridge.capture import CaptureHeader, CaptureWriter
from firmware_bridge.source import open_source, parse_uri, redact
from firmware_bridge.source_uri import SCHEMES


def capture(uri: str, path: Path, for_s: float | None, clock: Clock) -> dict[str, Any]:
    """Write what the source sends and what it is told; KeyboardInterrupt ends it as the time does.

    Raises SourceError where the source cannot be opened, breaks off (what came until then is in
    the file), or the file cannot be written.
    """
    source = open_source(uri)
    counted = {"packets": 0, "bytes": 0, "commands": 0}
    with _writing(path, _header(uri)) as writer:

        def wrote(data: bytes, at_ns: int) -> None:
            writer.wrote(data, at_ns)
            counted["commands"] += 1

        reading = packets(source, for_s, clock, on_write=wrote)
        with contextlib.suppress(KeyboardInterrupt), contextlib.closing(reading):
            for packet in reading:
                writer.write(packet)
                source.decoder.push(packet)
                counted["packets"] += 1
                counted["bytes"] += len(packet.data)
    count = source.decoder.count
    return {**counted, "frames": count.frames, "bad_frames": count.bad_frames, "file": str(path)}


@contextlib.contextmanager
def _writing(path: Path, header: CaptureHeader) -> Iterator[CaptureWriter]:
    writer = CaptureWriter(path, header)
    try:
        yield writer
    finally:
        writer.close()


def _header(uri: str) -> CaptureHeader:
    parsed = parse_uri(uri)
    scheme = SCHEMES.get(parsed.scheme)
    device = parsed.get("device", "polar_h10" if parsed.scheme == "ble" else "native")
    takes_options = scheme is not None and scheme.device_options
    options = scheme.of_device(parsed) if scheme and takes_options else {}
    return CaptureHeader(device, options, redact(uri))
