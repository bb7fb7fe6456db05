"""A serial port in software: any program can open it, a thread feeds it timed bytes."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import threading
import tty
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from firmware_bridge.errors import SourceError
from firmware_bridge.pacing import Pacer, TimedBytes

__all__ = ["PseudoTerminal", "PseudoTerminalFeeder"]

_POLL_MS = 20
"""How soon a blocked write notices that the port was closed, or a reader came."""
_READ_BYTES = 4096
_HEARD_BYTES_MAX = 64 * 1024
"""What programs wrote and nobody asked for is kept up to this size, the latest of it."""


class PseudoTerminal:
    """The device's end of a pseudo-terminal in raw mode; baud rates mean nothing to it.

    Like a real port it forgets what is sent while no program has it open, and it outlives
    the programs that open and close it. link: path of a symbolic link to make to it.
    Raises SourceError where the system gives no pseudo-terminal or the link cannot be made.
    """

    def __init__(self, link: str | Path | None = None) -> None:
        self._master = -1
        self._link: Path | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._dirty = False
        self._heard = bytearray()
        self.path = self._open()
        try:
            self._make_link(link)
        except SourceError:
            self.close()
            raise

    @property
    def closed(self) -> bool:
        """Whether the port was taken away, for good."""
        return self._closed.is_set()

    def has_reader(self) -> bool:
        """Whether a program has the port open."""
        return not self.closed and not self._poll(0) & select.POLLHUP

    def write(self, data: bytes) -> int:
        """Send, waiting for the reader to make room; returns how many bytes it was given.

        Fewer than all were given where no program has the port open, or it closes meanwhile.
        """
        given = 0
        while given < len(data) and not self._closed.is_set():
            events = self._poll(_POLL_MS)
            if events & select.POLLHUP:
                self._forget_unread()
                break
            if events & select.POLLIN:
                self._hear()
            if events & select.POLLOUT:
                given += self._write_some(data[given:])
        return given

    def commands(self, timeout_s: float) -> bytes:
        """What programs wrote since the last call, waiting up to `timeout_s` for something."""
        for _ in range(max(1, round(timeout_s * 1000 / _POLL_MS))):
            if self._heard or self._closed.is_set():
                break
            events = self._poll(_POLL_MS if timeout_s else 0, select.POLLIN)
            if events & select.POLLIN:
                self._hear()
            elif events and timeout_s:  # nobody has the port open
                self._closed.wait(_POLL_MS / 1000)
        with self._lock:
            heard, self._heard = bytes(self._heard), bytearray()
        return heard

    def wait_for_reader(self, timeout_s: float) -> bool:
        """Wait until a program opens the port; whether one did in `timeout_s` seconds."""
        slices = max(1, round(timeout_s * 1000 / _POLL_MS))
        for _ in range(slices):
            if self.has_reader():
                return True
            if self._closed.wait(_POLL_MS / 1000):
                return False
        return self.has_reader()

    def close(self) -> None:
        """Take the port away, as if unplugged, and the link with it. Never raises."""
        self._closed.set()
        with self._lock:
            if self._master >= 0:
                os.close(self._master)
                self._master = -1
        if self._link is not None:
            with contextlib.suppress(OSError):
                self._link.unlink()
            self._link = None

    def __enter__(self) -> PseudoTerminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> str:
        try:
            self._master, slave = os.openpty()
        except OSError as error:
            raise SourceError(f"no pseudo-terminal to be had: {error.strerror}") from None
        tty.setraw(slave)
        path = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        return path

    def _make_link(self, link: str | Path | None) -> None:
        if link is None:
            return
        wanted = Path(link)
        try:
            if wanted.is_symlink():
                wanted.unlink()
            wanted.symlink_to(self.path)
        except OSError as error:
            raise SourceError(f"cannot make the link {wanted}: {error.strerror}") from None
        self._link = wanted

    def _poll(self, timeout_ms: int, events: int = select.POLLIN | select.POLLOUT) -> int:
        poller = select.poll()
        with self._lock:
            if self._master < 0:
                return select.POLLHUP
            poller.register(self._master, events)
        return next((events for _, events in poller.poll(timeout_ms)), 0)

    def _write_some(self, data: bytes) -> int:
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._master >= 0:
                self._dirty = True
                return os.write(self._master, data)
        return 0

    def _hear(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._master >= 0:
                self._heard += os.read(self._master, _READ_BYTES)
                del self._heard[:-_HEARD_BYTES_MAX]

    def _forget_unread(self) -> None:
        """Leave nothing of a reader that went for the one that comes."""
        if not self._dirty:
            return
        self._dirty = False
        with contextlib.suppress(OSError, termios.error):
            slave = os.open(self.path, os.O_RDWR | os.O_NOCTTY)
            try:
                termios.tcflush(slave, termios.TCIFLUSH)
            finally:
                os.close(slave)


class PseudoTerminalFeeder:
    """A thread that writes timed bytes to a pseudo-terminal when they are due.

    Nothing is lost while a reader has the port open, at any speed: a slow reader holds the
    feeder up. At speed None the feeder waits for a reader; at another speed, bytes that are
    due without one are dropped, as by a real device. Closing the terminal ends the feeding.
    """

    def __init__(self, terminal: PseudoTerminal) -> None:
        self._terminal = terminal
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._given_bytes = 0

    @property
    def given_bytes(self) -> int:
        """Bytes that the terminal took for a reader; final once `finished`."""
        return self._given_bytes

    @property
    def finished(self) -> bool:
        """Whether all was written, or dropped, or the terminal was closed."""
        return self._thread is not None and not self._thread.is_alive()

    @property
    def error(self) -> Exception | None:
        """What the iterator of bytes raised, which ended the feeding; None where nothing."""
        return self._error

    def feed(self, items: Iterable[TimedBytes], speed: float | None = 1.0) -> None:
        """Begin to feed; returns at once. Call it once, after the reader has opened the port
        where every byte matters: opening a port flushes it.
        """
        if self._thread is not None:
            raise RuntimeError("this feeder feeds already")
        self._thread = threading.Thread(
            target=self._run, args=(items, speed), name="pty-feeder", daemon=True
        )
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end of the feeding; whether it came in `timeout_s` seconds.

        Raises the error that ended it, if one did.
        """
        if self._thread is not None:
            self._thread.join(timeout_s)
        if self._error is not None:
            raise self._error
        return self.finished

    def stop(self) -> None:
        """Stop feeding and close the terminal, which wakes the thread; waits for its end."""
        self._stop.set()
        self._terminal.close()
        if self._thread is not None:
            self._thread.join()

    def _run(self, items: Iterable[TimedBytes], speed: float | None) -> None:
        try:
            self._feed_all(items, speed)
        except Exception as error:  # handed to whoever waits, in the thread that can act on it
            self._error = error

    def _feed_all(self, items: Iterable[TimedBytes], speed: float | None) -> None:
        pacer = Pacer(speed)
        pacer.start()
        for item in items:
            if self._stop.wait(pacer.wait_s(item.due_ns)):
                return
            if speed is None:
                self._await_reader()
            if self._terminal.closed:
                return
            self._given_bytes += self._terminal.write(item.data)

    def _await_reader(self) -> None:
        while not self._terminal.closed and not self._terminal.wait_for_reader(1.0):
            continue
