"""Running a program under strace: to end it at any system call, or to write down what it did."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import FULL


def _may_trace() -> bool:
    if not shutil.which("strace"):
        return False
    probe = ["strace", "-f", "-qq", "-e", "trace=none", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


needs_strace = pytest.mark.skipif(
    not _may_trace(), reason="needs strace and the right to trace (apt install strace)"
)


def environment() -> dict[str, str]:
    """For a Python process that imports what this one can."""
    root = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, *sys.path])}


def traced(options: list[str], module: str, *arguments: str) -> None:
    """Run a Python module under strace; AssertionError with its last words where it fails."""
    command = ["strace", "-f", "-qq", *options, sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]


__all__ = ["FULL", "environment", "needs_strace", "traced"]
