"""What was measured of the devices, kept from one start to the next.

One small file a bundle, in `$CACHE_DIRECTORY` (which systemd sets), `$XDG_CACHE_HOME/edge` or
`~/.cache/edge`. A file that is damaged, or of another machine, runtime or bundle, is as good as
none.
"""

from __future__ import annotations

import os
import stat
import tempfile
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from models.device_choice import Trial, ranked
from models.device_machine import Machine, this_machine
from models.device_name import parse_device
from models.errors import ModelError

__all__ = ["Measured", "keep", "measured", "ranking", "record_path"]

_LIMIT = 64 * 1024


class Measured(Struct, frozen=True, forbid_unknown_fields=True):
    """All trials of one bundle on one machine. bundle_sha256: of the bundle's manifest."""

    format: Literal[1]
    bundle_sha256: str
    machine: Machine
    trials: tuple[Trial, ...]


def record_path(bundle_sha256: str) -> Path | None:
    """Where the file of a bundle lies; None where this user has no place for it."""
    folder = _folder()
    return folder / f"devices-{bundle_sha256[:16]}.json" if folder else None


@cache
def measured(bundle_sha256: str) -> Measured | None:
    """What is known of a bundle's devices on this machine; None where nothing that still holds.

    The file is read once a process, so that all streams get the same device. A trial of what no
    device is called is left out.
    """
    path = record_path(bundle_sha256)
    try:
        found = msgspec.json.decode(_read(path), type=Measured) if path else None
    except (OSError, ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
    if found is None:
        return None
    if (found.bundle_sha256, found.machine) != (bundle_sha256, this_machine()):
        return None
    return replace(found, trials=tuple(each for each in found.trials if _is_named(each)))


def ranking(bundle_sha256: str) -> tuple[Trial, ...]:
    """The trials of the devices that may be taken, the best first; none where none were kept."""
    known = measured(bundle_sha256)
    return ranked(known.trials) if known else ()


def keep(bundle_sha256: str, trials: tuple[Trial, ...]) -> Path | None:
    """Write what was measured, whole or not at all; None where there is no place for it.

    Raises OSError where the place cannot be written.
    """
    path = record_path(bundle_sha256)
    if path is None:
        return None
    data = msgspec.json.encode(Measured(1, bundle_sha256, this_machine(), trials))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(prefix=".devices-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(msgspec.json.format(data))
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
    measured.cache_clear()
    return path


def _is_named(trial: Trial) -> bool:
    try:
        return parse_device(trial.device) is not None
    except ModelError:  # a number of threads that is none
        return False


def _folder() -> Path | None:
    if given := os.environ.get("CACHE_DIRECTORY"):
        return Path(given.split(":")[0])
    if (given := os.environ.get("XDG_CACHE_HOME")) and Path(given).is_absolute():
        return Path(given) / "edge"
    try:
        return Path.home() / ".cache" / "edge"
    except RuntimeError:  # nobody knows this user's home
        return None


def _read(path: Path) -> bytes:
    """A regular file's first bytes; nothing that could make a start wait."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is not a regular file")
        return file.read(_LIMIT)
