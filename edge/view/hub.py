"""Those who look on: each has a bounded queue, and whoever is slow loses signal, nobody else."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from edge.view.wire import with_dropped

__all__ = ["VIEWERS_MAX", "Hub", "Viewer"]

VIEWERS_MAX = 16
SIGNAL_MAX = 60
"""Messages of signal that may wait for a viewer: 3 s of them."""
DOCUMENTS_MAX = 1000
"""A viewer who takes none of so many is gone, or as good as."""


class Viewer:
    """What waits for one viewer. Of the loop's thread.

    Nothing is told before `begin`: the picture holds what went before, and each sample once.
    """

    def __init__(self) -> None:
        self._begin: deque[bytes] = deque()
        self._signal: deque[tuple[int, bytes]] = deque()
        self._documents: deque[tuple[int, bytes]] = deque()
        self._count = 0
        self._filled = asyncio.Event()
        self._begun = False
        self.dropped = 0
        self.lost = False

    def begin(self, messages: Iterable[bytes]) -> None:
        """The whole picture, sent before everything else."""
        self._begun = True
        self._begin.extend(messages)
        self._filled.set()

    def signal(self, message: bytes) -> None:
        """Signal: where too much waits, the oldest is dropped and counted."""
        if not self._begun:
            return
        if len(self._signal) >= SIGNAL_MAX:
            self._signal.popleft()
            self.dropped += 1
        self._put(self._signal, message)

    def document(self, message: bytes) -> None:
        """A document: none is dropped; a viewer who takes none is lost."""
        if not self._begun:
            return
        self.lost |= len(self._documents) >= DOCUMENTS_MAX
        if not self.lost:
            self._put(self._documents, message)
        self._filled.set()

    async def next(self) -> bytes | None:
        """The next message, in order; None once the viewer is lost."""
        while not self.lost:
            if self._begin:
                return self._begin.popleft()
            if self._signal and (not self._documents or self._signal[0] < self._documents[0]):
                message = self._signal.popleft()[1]
                return with_dropped(message, self.dropped) if self.dropped else message
            if self._documents:
                return self._documents.popleft()[1]
            self._filled.clear()
            await self._filled.wait()
        return None

    def _put(self, queue: deque[tuple[int, bytes]], message: bytes) -> None:
        queue.append((self._count, message))
        self._count += 1
        self._filled.set()


class Hub:
    """All viewers. Of the loop's thread."""

    def __init__(self) -> None:
        self._viewers: set[Viewer] = set()

    @property
    def is_full(self) -> bool:
        """Whether nobody more is let in."""
        return len(self._viewers) >= VIEWERS_MAX

    def join(self) -> Viewer:
        """A viewer more."""
        viewer = Viewer()
        self._viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """A viewer less."""
        self._viewers.discard(viewer)

    def tell(self, signal: Iterable[bytes], documents: Iterable[bytes]) -> None:
        """Give everybody documents, then signal."""
        for message in documents:
            for viewer in self._viewers:
                viewer.document(message)
        for message in signal:
            for viewer in self._viewers:
                viewer.signal(message)
