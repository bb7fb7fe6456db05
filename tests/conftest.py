"""What all tests share: where the recordings are."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.patience import WAIT_S

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


@pytest.fixture(scope="session", autouse=True)
def _nothing_measured_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What `edge warmup` has found on this machine chooses no device for the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CACHE_DIRECTORY", str(tmp_path_factory.mktemp("cache")))
        yield


THREADS = ("link ", "pty-feeder", "edge-")
"""How the threads of links, ports and services are named."""


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """A thread that outlives its test takes time from all that follow."""
    before = threading.enumerate()
    yield
    begun = [each for each in threading.enumerate() if each not in before]
    ours = [each for each in begun if each.name.startswith(THREADS)]
    for each in ours:
        each.join(WAIT_S)
    assert [each.name for each in ours if each.is_alive()] == []
