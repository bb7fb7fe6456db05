"""What an import did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.manifest import Manifest

__all__ = ["ImportReport"]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """A bundle was written to `folder`, loaded again, and answered its self-test.

    sha256: of its manifest. tensors: how many of the checkpoint's are in the graph. dropped: how
    many are not, because the encoder has no use for them (masks, a head for training).
    deviation: in the self-test, as `models.golden.check_golden` gives it.
    """

    folder: Path
    manifest: Manifest
    sha256: str
    tensors: int
    dropped: int
    deviation: float
