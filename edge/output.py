"""Standard output that may fail without taking the monitoring with it."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from pathlib import Path
from typing import TextIO

log = logging.getLogger(__name__)


class Output:
    """A stream that is flushed at every write and, once it fails, swallows the rest.

    stream: where the text goes; its file descriptor then leads to the null device, so that
    neither later writes nor the end of the process stumble over it.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self.reader_gone = False
        """Whether the program at the other end of the pipe has ended."""

    @property
    def encoding(self) -> str:
        """As the stream has it."""
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The file descriptor."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write and flush; never raises OSError."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Done by `write`."""

    def check(self) -> None:
        """Raises BrokenPipeError once nobody reads any more."""
        if self.reader_gone:
            raise BrokenPipeError

    def _give_up(self, error: OSError) -> None:
        self.reader_gone = isinstance(error, BrokenPipeError)
        if not self.reader_gone:
            log.error("standard output: %s; nothing more is shown", error.strerror)
        silence(self._stream)


class StderrHandler(logging.Handler):
    """Logs to what standard error is at that moment: a live view puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; where that fails there is nobody left to tell."""
        with contextlib.suppress(OSError, ValueError):
            print(self.format(record), file=sys.stderr, flush=True)


def prepare_streams() -> None:
    """Standard streams that are closed lead nowhere; a character that one lacks becomes `?`."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def silence(stream: TextIO) -> None:
    """Lead the stream's file descriptor to the null device."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


__all__ = ["Output", "StderrHandler", "prepare_streams", "silence"]
