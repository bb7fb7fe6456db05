"""One patient's pieces as they are written: begun, filled, closed, and given up when the disk
takes no more."""

from __future__ import annotations

import contextlib
import logging

from edge.record.content import VERSION, Header, header_record
from edge.record.piece import Piece
from edge.record.shelf import Shelf
from edge.record_settings import RecordSettings
from firmware_bridge.stream import NS_PER_S

__all__ = ["Volume"]

RETRY_NS = 10 * NS_PER_S
"""After the disk refused, it is asked again so much later."""

log = logging.getLogger(__name__)


class Volume:
    """Where the records of one patient go. Only `begin_new` raises."""

    def __init__(
        self, settings: RecordSettings, shelf: Shelf, patient: str, device: str, run: str
    ) -> None:
        self._settings = settings
        self._piece_ns = settings.piece_minutes * 60 * NS_PER_S
        self._piece_bytes = settings.piece_bytes
        self._shelf = shelf
        self._patient = patient
        self._device = device
        self._run = run
        self._piece: Piece | None = None
        self._rests_until_ns = 0
        self._synced_ns = 0
        self._refused = ""
        self.written = 0
        """Bytes given to the operating system."""

    @property
    def refused(self) -> str:
        """Why nothing is recorded now; empty while all is well."""
        return self._refused

    def needs_piece(self, now_ns: int) -> bool:
        """Whether another piece is due: none is open, or the open one is full or old."""
        piece = self._piece
        if piece is None:
            return now_ns >= self._rests_until_ns
        age_ns = now_ns - piece.opened_ns
        return age_ns >= self._piece_ns or piece.size >= self._piece_bytes

    def begin_new(self, now_ns: int, utc_ns: int, software: str) -> bytes | None:
        """Close the piece that is open and begin another; its header, None where the disk
        refuses. The oldest pieces make room first."""
        self.close()
        try:
            self._shelf.tidy(utc_ns)
            self._require_room()
            sequence, piece = self._shelf.begin(self._patient, utc_ns, now_ns)
        except OSError as error:
            self._refuse(error, now_ns)
            return None
        header = header_record(
            Header(VERSION, self._patient, self._device, self._run, sequence, utc_ns, software)
        )
        self._piece, self._synced_ns = piece, now_ns
        if not self.append(header, now_ns):
            piece.discard()
            return None
        return header

    def append(self, data: bytes, now_ns: int) -> bool:
        """Write records; False where they could not be."""
        if self._piece is None:
            return False
        try:
            self._piece.append(data)
        except OSError as error:
            self._refuse(error, now_ns)
            return False
        self.written += len(data)
        self._accept()
        self._sync(self._piece, now_ns)
        return True

    def close(self) -> None:
        """Complete the open piece, if any."""
        piece, self._piece = self._piece, None
        if piece:
            with contextlib.suppress(OSError):
                piece.close()

    def _sync(self, piece: Piece, now_ns: int) -> None:
        """Now and then: what is written to the disk, and whether there is room for more."""
        if now_ns - self._synced_ns < self._settings.sync_s * NS_PER_S:
            return
        self._synced_ns = now_ns
        try:
            piece.sync()
            self._require_room()
        except OSError as error:
            self._refuse(error, now_ns)

    def _require_room(self) -> None:
        if not self._shelf.has_room():
            raise OSError(0, f"less than {self._settings.reserve_mb} MB of the disk are free")

    def _refuse(self, error: OSError, now_ns: int) -> None:
        self.close()
        self._rests_until_ns = now_ns + RETRY_NS
        reason = error.strerror or str(error)
        if not self._refused:
            log.warning(
                "recording of %s rests: %s: %s; monitoring goes on, and recording once there "
                "is room",
                *(self._patient, self._shelf.root, reason),
            )
        self._refused = reason

    def _accept(self) -> None:
        if self._refused:
            log.warning("recording of %s goes on", self._patient)
        self._refused = ""
