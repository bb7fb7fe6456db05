"""From a recording of what a process wrote and synced to what a power cut may leave on the disk.

A file is what it was at its last sync, plus any of the writes since: none, all, or some of
them, and of those some sectors only. Names (files made, renamed, removed) are taken to be
ordered with the syncs, as ext4 does it. The shared memory of SQLite is never written back.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR_BYTES = 512
CALLS = "openat,close,pwrite64,write,fdatasync,fsync,ftruncate,fallocate,unlink,rename"

_LINE = re.compile(r"^(\w+)\((.*)\)\s+= (-?\d+)")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True, slots=True)
class Change:
    """Not yet synced: bytes at an offset; or, with no bytes, a new size."""

    path: str
    offset: int
    data: bytes | None = None


@dataclass(slots=True)
class Disk:
    """What is safe of each file, and what is not yet; and what the process has been told."""

    folder: str
    safe: dict[str, bytearray] = field(default_factory=dict)
    unsafe: list[Change] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    syncs: int = 0
    _open: dict[int, str] = field(default_factory=dict)

    def replay(self, recording: Path) -> Iterator[bool]:
        """Go through a recording; yields after each call that could change an image, whether
        it was a sync."""
        with recording.open() as lines:
            for line in lines:
                found = _LINE.match(line)
                if found and int(found[3]) >= 0:
                    before = self.syncs
                    if self._apply(found[1], found[2], int(found[3])):
                        yield self.syncs > before

    def image(self, chance: random.Random | None, all_of_it: bool = False) -> dict[str, bytearray]:
        """The files after a power cut: what was safe, and of the rest none, all, or some."""
        files = {path: bytearray(content) for path, content in self.safe.items()}
        for change in self.unsafe:
            if all_of_it:
                _write(files, change)
            elif chance is not None and chance.random() < 0.6:
                for part in _torn(change, chance):
                    _write(files, part)
        return files

    def _apply(self, call: str, arguments: str, result: int) -> bool:
        strings = [bytes.fromhex(each.replace("\\x", "")) for each in _STRING.findall(arguments)]
        if call == "openat":
            self._open[result] = strings[0].decode()
            return False
        if call in ("unlink", "rename"):
            return self._rename(*(each.decode() for each in strings))
        fd, *numbers = (int(each) for each in re.findall(r"(?<![\w\"\\])\d+", _bare(arguments)))
        if call == "close":
            self._open.pop(fd, None)
            return False
        if call == "write" and fd == 1:
            self.told += strings[0].decode().split()
            return False
        path = self._open.get(fd, "")
        if not path.startswith(self.folder) or path.endswith(("-shm", ".lock")):
            return False
        if call in ("fdatasync", "fsync"):
            self._sync(path)
        elif call == "pwrite64":
            self.unsafe.append(Change(path, numbers[-1], strings[0]))
        elif call == "ftruncate":
            self.unsafe.append(Change(path, numbers[0]))
        elif call == "fallocate":
            self.unsafe.append(Change(path, -(numbers[-2] + numbers[-1])))
        return True

    def _sync(self, path: str) -> None:
        self.syncs += 1
        for change in self.unsafe:
            if change.path == path:
                _write(self.safe, change)
        self.unsafe = [change for change in self.unsafe if change.path != path]

    def _rename(self, old: str, new: str = "") -> bool:
        if old in self.safe and new:
            self.safe[new] = self.safe.pop(old)
        self.safe.pop(old, None)
        self.unsafe = [change for change in self.unsafe if change.path != old]
        return old.startswith(self.folder)


def _bare(arguments: str) -> str:
    """Arguments without their strings, which hold digits too."""
    return _STRING.sub("", arguments)


def _torn(change: Change, chance: random.Random) -> list[Change]:
    """The change, or half of the time some of its sectors."""
    if change.data is None or chance.random() < 0.5:
        return [change]
    sectors = range(0, len(change.data), SECTOR_BYTES)
    return [
        Change(change.path, change.offset + at, change.data[at : at + SECTOR_BYTES])
        for at in sectors
        if chance.random() < 0.5
    ]


def _write(files: dict[str, bytearray], change: Change) -> None:
    content = files.setdefault(change.path, bytearray())
    if change.data is None:
        # A negative size is one that the file has at least.
        size = max(len(content), -change.offset) if change.offset < 0 else change.offset
        del content[size:]
        content.extend(bytes(size - len(content)))
        return
    end = change.offset + len(change.data)
    content.extend(bytes(max(0, end - len(content))))
    content[change.offset : end] = change.data


__all__ = ["CALLS", "Change", "Disk"]
