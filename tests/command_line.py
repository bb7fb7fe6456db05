"""`edge` in this process: what a command prints and its exit code, without a start of its own."""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass
from unittest import mock

from edge.cli import main

__all__ = ["Done", "here"]


@dataclass(frozen=True)
class Done:
    """As of `subprocess.run`."""

    returncode: int
    stdout: str
    stderr: str


def here(*arguments: object, **variables: str) -> Done:
    """Run a command with these environment variables added."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        mock.patch.dict(os.environ, variables),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = main([str(each) for each in arguments])
        except SystemExit as exit:
            code = exit.code if isinstance(exit.code, int) else 0
        out.flush()
        err.flush()
    said, complained = (stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
    return Done(code, said, complained)
