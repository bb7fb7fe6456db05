"""Which version of the source a report was made with."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

__all__ = ["commit"]

ROOT = Path(__file__).resolve().parents[1]
GIT_TIMEOUT_S = 10.0


def commit() -> str:
    """`git describe` of the tree that runs; the package's version where it is no checkout."""
    if not (ROOT / ".git").exists():
        return version("edge")
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--tags"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return version("edge")
    return done.stdout.strip()
