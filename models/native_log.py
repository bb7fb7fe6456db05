"""What native libraries write past Python, and what has no switch to turn it off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["native_log_hushed"]

_STDERR = 2


@contextmanager
def native_log_hushed() -> Iterator[None]:
    """Standard error of the process goes nowhere meanwhile; Python exceptions are not affected.

    LiteRT greets every first use of a delegate there, where an error of the command line is to
    be one clear line. Without a standard error nothing is done.
    """
    try:
        kept = os.dup(_STDERR)
    except OSError:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.dup2(nowhere, _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        os.close(nowhere)
