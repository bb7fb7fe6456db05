"""Frames of one length out of a byte stream with little to tell them by: found by consistency.

One frame that looks right may be chance; frames that follow each other as the device sends them
are not. Once found, frames are taken one by one, as soon as they are whole.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_bridge.devices.tally import Tally

__all__ = ["NO_KEY", "NO_MESSAGE", "UNDECIDED", "FrameLock"]

NO_KEY = -1
NO_MESSAGE = 0
UNDECIDED = -1
WAIT = -2

Key = Callable[[bytes, int], int]
"""Counter or clock of the frame that begins at an index, NO_KEY where none can begin there."""
Follows = Callable[[int, int, int], bool]
"""Whether the second key can come so many frames after the first; 0: any number of frames."""
Aside = Callable[[bytes, int], int]
"""Length of the message other than a frame that begins at an index, or NO_MESSAGE, UNDECIDED.
Asked where a frame is due and none is, and everywhere before the first frame."""
Skipped = Callable[[int], bool]
"""Is given each skipped byte; whether a frame begins right behind it."""


class FrameLock:
    """Cuts frames of `size` bytes out of bytes; what belongs to none is counted as skipped.

    confirm: frames in a row that must be consistent before the first of them is believed, one
    less where a frame is due: behind a bad one, or where `trusted` or `skipped` say so.
    strict: whether a frame that does not follow the one before it must be confirmed, too.
    trusted: whether the stream begins with a frame. begins: first bytes that frames can have.
    The result depends on the bytes alone, not on how they were cut into chunks; at most `confirm`
    frames wait.
    """

    def __init__(
        self,
        size: int,
        key: Key,
        follows: Follows,
        tally: Tally,
        *,
        confirm: int,
        strict: bool,
        trusted: bool,
        begins: bytes = bytes(range(256)),
        aside: Aside | None = None,
        skipped: Skipped | None = None,
    ) -> None:
        self.size = size
        self._key = key
        self._follows = follows
        self._tally = tally
        self._confirm = confirm
        self._strict = strict
        self._trusted = trusted
        self._begins = begins
        self._aside = aside
        self._skipped = skipped
        self._pending = b""
        self._forget()

    def push(self, data: bytes) -> list[bytes]:
        """The frames, and messages of other kinds, that these bytes complete, in order."""
        self._tally.bytes += len(data)
        waiting = self._pending + data
        found: list[bytes] = []
        at = 0
        while at < len(waiting):
            if self._locked:
                at = self._run_on(waiting, at, found)
            taken = self._take(waiting, at) if at < len(waiting) else UNDECIDED
            if taken == UNDECIDED:
                break
            if taken:
                found.append(waiting[at : at + taken])
                at += taken
            else:
                self._skip(waiting[at], at)
                at += 1
        self._pending = waiting[at:]
        self._due -= at
        return found

    def reset(self) -> None:
        """Forget a frame half received; its bytes count as skipped."""
        self._tally.skipped_bytes += len(self._pending)
        self._pending = b""
        self._forget()

    def _forget(self) -> None:
        self._locked = self._seen = False
        self._due = 0 if self._trusted else UNDECIDED
        self._last_key = NO_KEY
        self._missed = 0

    def _run_on(self, waiting: bytes, at: int, found: list[bytes]) -> int:
        """Take the frames that follow each other without a hitch; the index behind them."""
        size, key_of, follows, last_key = self.size, self._key, self._follows, self._last_key
        last_start = len(waiting) - size
        while at <= last_start:
            key = key_of(waiting, at)
            if key == NO_KEY or (self._strict and not follows(last_key, key, 0)):
                break
            found.append(waiting[at : at + size])
            last_key = key
            at += size
        self._last_key = last_key
        return at

    def _take(self, waiting: bytes, at: int) -> int:
        """Bytes of the frame or message at this index, 0 for none, UNDECIDED to wait."""
        is_due = self._locked or at == self._due
        if self._aside is not None and (is_due or not self._seen):
            length = self._aside(waiting, at)
            if length != NO_MESSAGE:
                return self._message(waiting, at, length, is_due)
        if self._locked:
            if self._waits(waiting, at):
                return UNDECIDED
            self._locked, is_due = False, False
            self._due, self._missed = at + self.size, 1
        return self._search(waiting, at, is_due)

    def _message(self, waiting: bytes, at: int, length: int, is_due: bool) -> int:
        if length == UNDECIDED or len(waiting) - at < length:
            return UNDECIDED
        if is_due:
            self._due = at + length
        return length

    def _waits(self, waiting: bytes, at: int) -> bool:
        """Whether the frame that is due at this index is not whole yet, else it is a bad one."""
        key = self._look(waiting, at)
        self._tally.bad_frames += key == NO_KEY
        return key == WAIT

    def _search(self, waiting: bytes, at: int, is_due: bool) -> int:
        """The first frame of a consistent row that begins at this index."""
        first = before = NO_KEY
        for frame in range(max(1, self._confirm - is_due)):
            key = self._look(waiting, at + frame * self.size)
            if key == WAIT:
                return UNDECIDED
            if key == NO_KEY or not self._continues(before, key, is_due):
                self._pass_due(is_due)
                return 0
            first, before = (key if frame == 0 else first), key
        self._locked = self._seen = True
        self._last_key = first
        return self.size

    def _look(self, waiting: bytes, at: int) -> int:
        """Key of the frame at this index, NO_KEY where there is none, WAIT for more bytes."""
        if len(waiting) - at >= self.size:
            return self._key(waiting, at)
        return WAIT if at >= len(waiting) or waiting[at] in self._begins else NO_KEY

    def _continues(self, before: int, key: int, is_due: bool) -> bool:
        if before != NO_KEY:
            return self._follows(before, key, 1)
        if not (is_due and self._strict) or self._last_key == NO_KEY:
            return True
        return self._follows(self._last_key, key, self._missed + 1)

    def _pass_due(self, is_due: bool) -> None:
        if is_due:
            self._due += self.size
            self._missed += 1

    def _skip(self, byte: int, at: int) -> None:
        self._tally.skipped_bytes += 1
        if self._skipped is not None and self._skipped(byte):
            self._due = at + 1
            self._missed = 0
            self._last_key = NO_KEY
