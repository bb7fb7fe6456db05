"""Where and how much to record: the `[record]` table of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

__all__ = ["MB", "RecordSettings"]

MB = 1_000_000

Whole = Annotated[int, msgspec.Meta(ge=1, le=100_000_000)]


class RecordSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Continuous recording; without a directory nothing is recorded.

    budget_mb: of all recordings in the directory together; the oldest closed pieces make room.
    reserve_mb: of the disk, left free for the outbox and everybody else: recording rests below.
    piece_minutes, piece_mb: a piece that is as long or as large is closed and another begun.
    keep_days: closed pieces not written to for so long are deleted; 0: none for their age.
    sync_s: how much a power cut may cost, in seconds; a killed process costs less than one.
    """

    directory: str = ""
    budget_mb: Whole = 4000
    reserve_mb: Annotated[int, msgspec.Meta(ge=0, le=100_000_000)] = 100
    piece_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 60
    piece_mb: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 64
    keep_days: Annotated[int, msgspec.Meta(ge=0, le=36_500)] = 0
    sync_s: Annotated[float, msgspec.Meta(ge=1.0, le=600.0)] = 10.0

    @property
    def piece_bytes(self) -> int:
        """Size at which a piece is closed: an eighth of a small budget, so that some can wait."""
        return max(min(self.piece_mb * MB, self.budget_mb * MB // 8), MB // 8)

    def path(self) -> Path:
        """The directory, `~` expanded."""
        return Path(self.directory).expanduser()
