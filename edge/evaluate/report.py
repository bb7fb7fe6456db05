"""What a report says beside its figures: bundle, commit, machine, command, split."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edge.assemble import NO_BUNDLE
from edge.evaluate.figures import Row
from edge.evaluate.listen import DEVICE
from models.bundle import load_bundle

__all__ = ["bundle_facts", "commit", "machine"]

ROOT = Path(__file__).resolve().parents[2]
GIT_TIMEOUT_S = 10.0


def bundle_facts(name: str) -> dict[str, Any] | None:
    """Name, version, digest and training of a bundle; None for rules alone. Raises ModelError."""
    if name == NO_BUNDLE:
        return None
    bundle = load_bundle(name)
    manifest = bundle.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "sha256": bundle.sha256,
        "device": DEVICE,
        "training": {"data": list(manifest.training.data), "split": manifest.training.split},
    }


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


def machine(jobs: int) -> Row:
    """What it ran on, and in how many processes."""
    return {
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "jobs": jobs,
        "system": platform.system(),
        "python": platform.python_version(),
    }
