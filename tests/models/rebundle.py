"""A copy of the shipped bundle that a test may spoil, and the means to re-sign what it spoilt."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from models import bundle as bundles

NAME = "tcn-s"
SHIPPED = Path(bundles.__file__).parent / "zoo" / NAME
FILES = ("manifest.json", "manifest.sha256", "model.onnx", "golden.json", "MODEL_CARD.md")


def copy_to(folder: Path) -> Path:
    target = folder / NAME
    shutil.copytree(SHIPPED, target)
    return target


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest and sign it again, as its author could."""
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    sign(folder, json.dumps(manifest).encode())


def sign(folder: Path, raw: bytes) -> None:
    (folder / "manifest.json").write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    (folder / "manifest.sha256").write_text(f"{digest}  manifest.json\n")


def replace_file(folder: Path, name: str, data: bytes) -> None:
    """Replace a file and its entry in the manifest, as its author could."""
    (folder / name).write_bytes(data)

    def update(manifest: dict[str, Any]) -> None:
        for entry in manifest["files"]:
            if entry["name"] == name:
                entry["size"] = len(data)
                entry["sha256"] = hashlib.sha256(data).hexdigest()

    edit_manifest(folder, update)


def hops(count: int, leads: int = 1, seed: int = 0) -> np.ndarray:
    """Noise with spikes, in microvolts: (count, leads, hop_samples)."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(0, 80, (count, leads, 128))
    signal[..., 40:44] += rng.choice([900, -1200, 300], (count, leads, 1))
    return signal.astype(np.float32)
