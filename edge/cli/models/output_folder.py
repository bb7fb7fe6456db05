"""The folder that a new bundle is written to."""

from __future__ import annotations

from pathlib import Path

from edge.errors import UsageError


def check_free(folder: Path) -> None:
    """UsageError unless the folder is new or empty: no bundle is ever written over."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--out {folder}: is there already; name a new folder, or remove it")
