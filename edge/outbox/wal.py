"""SQLite's write-ahead log as bytes, for a file that SQLite itself refuses to open.

Layout: https://www.sqlite.org/fileformat2.html, 4.1. The checksums of the frames are not
looked at: every message has its own.
"""

from __future__ import annotations

from pathlib import Path

from edge.outbox.schema import PAGE_BYTES

HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
_MAGIC = (0x377F0682, 0x377F0683)


def apply_log(image: bytearray, wal: Path) -> int:
    """Write the pages of the log's transactions into a file's image; returns how many."""
    try:
        log = wal.read_bytes()
    except OSError:
        return 0
    if len(log) < HEADER_BYTES or int.from_bytes(log[:4], "big") not in _MAGIC:
        return 0
    applied = 0
    transaction: list[tuple[int, bytes]] = []
    for number, page, commits in _frames(log):
        transaction.append((number, page))
        if commits:
            applied += len(transaction)
            for at, content in transaction:
                _write(image, at, content)
            transaction.clear()
    return applied


def _frames(log: bytes) -> list[tuple[int, bytes, bool]]:
    """Page number, page, and whether it ends a transaction, up to the first stale frame."""
    frames = []
    salts = log[16:24]
    size = FRAME_HEADER_BYTES + PAGE_BYTES
    for start in range(HEADER_BYTES, len(log) - size + 1, size):
        header = log[start : start + FRAME_HEADER_BYTES]
        number = int.from_bytes(header[:4], "big")
        if header[8:16] != salts or not 0 < number < 1 << 20:
            break
        page = log[start + FRAME_HEADER_BYTES : start + size]
        frames.append((number, page, header[4:8] != bytes(4)))
    return frames


def _write(image: bytearray, number: int, page: bytes) -> None:
    end = number * PAGE_BYTES
    if len(image) < end:
        image.extend(bytes(end - len(image)))
    image[end - PAGE_BYTES : end] = page


__all__ = ["apply_log"]
