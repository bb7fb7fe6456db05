"""How many files a run may have open: a gateway of 500 links needs more than the usual 1,024."""

from __future__ import annotations

import contextlib

__all__ = ["MOST", "raise_limit"]

MOST = 524_288
"""The hard limit that systemd gives: containers may have a thousand million, and programs that
close whatever they inherit would walk through all of them."""


def raise_limit() -> None:
    """Let this process have as many files open as the system lets it ask for, `MOST` at most.

    The soft limit is as low as it is for programs that use select(2), which knows no descriptor
    above 1,023; ours poll. Where the system has no such limit, or refuses, all stays as it was.
    """
    try:
        import resource
    except ImportError:  # not a POSIX system
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has another limit behind this one
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
