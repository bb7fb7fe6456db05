"""What a report says beside its figures: bundle, machine, command, split."""

from __future__ import annotations

import os
import platform
from typing import Any

from edge.assemble import NO_BUNDLE
from edge.evaluate.figures import Row
from edge.evaluate.listen import DEVICE
from models.bundle import load_bundle

__all__ = ["bundle_facts", "machine"]


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


def machine(jobs: int) -> Row:
    """What it ran on, and in how many processes."""
    return {
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "jobs": jobs,
        "system": platform.system(),
        "python": platform.python_version(),
    }
