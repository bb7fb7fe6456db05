"""Which discovery topics hold a message of ours, kept on disk so that none is left behind."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

__all__ = ["FILE", "AnnouncedTopics"]

FILE = "home_assistant.json"
MAX_BYTES = 64 * 1024
_TOPIC = re.compile(r"[A-Za-z0-9_/-]{1,400}/config")

log = logging.getLogger(__name__)


class AnnouncedTopics:
    """A set of topics in a file. A file that cannot be read counts as empty, one that cannot be
    written is said; neither stops anything.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> frozenset[str]:
        """What the file holds."""
        try:
            if self._path.stat().st_size > MAX_BYTES:
                raise ValueError(f"larger than {MAX_BYTES} bytes")
            topics = msgspec.json.decode(self._path.read_bytes(), type=list[str])
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError) as error:
            log.warning(
                "%s: %s; devices that are no longer configured may stay in Home Assistant",
                *(self._path, error),
            )
            return frozenset()
        return frozenset(topic for topic in topics if _TOPIC.fullmatch(topic))

    def save(self, topics: Iterable[str]) -> None:
        """Replace what the file holds, at once or not at all."""
        fresh = self._path.with_suffix(".tmp")
        try:
            with open(fresh, "wb", opener=_private) as file:
                file.write(msgspec.json.encode(sorted(topics)))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
