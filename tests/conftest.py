"""What all tests share: where the recordings are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no failure: nothing here asserts how long something takes.
settings.register_profile("edge", deadline=None)
settings.load_profile("edge")

ROOT = Path(__file__).resolve().parent.parent


def _recordings() -> Path | None:
    for folder in (os.environ.get("EDGE_DATA"), ROOT / "../shared/data", ROOT / ".data"):
        if folder and (Path(folder) / "mitdb").is_dir():
            return Path(folder).resolve()
    return None


@pytest.fixture(scope="session")
def records_dir() -> Path:
    """The folder that holds `mitdb/` and its like; skips where there is none."""
    found = _recordings()
    if found is None:
        pytest.skip("no recordings: set EDGE_DATA to a folder that holds mitdb/ from PhysioNet")
    return found
