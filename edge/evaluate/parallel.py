"""One function over many names, in as many processes as asked for, results in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from edge.errors import EdgeError

__all__ = ["default_jobs", "each"]

Result = TypeVar("Result")


def default_jobs() -> int:
    """All cores but one, at least one."""
    return max(1, len(os.sched_getaffinity(0)) - 1)


def each(work: Callable[[str], Result], names: Sequence[str], jobs: int) -> Iterator[Result]:
    """`work` of each name, in order, each as soon as it and those before it are done.

    work: can be pickled, as it runs in processes of its own where `jobs` is above 1. The first
    error ends it all. Raises EdgeError where a process dies.
    """
    if jobs == 1 or len(names) < 2:
        yield from map(work, names)
        return
    with _pool(min(jobs, len(names))) as pool:
        waiting: list[Future[Result]] = [pool.submit(work, name) for name in names]
        try:
            for future in waiting:
                yield future.result()
        except BrokenProcessPool as error:
            raise EdgeError("a process that judged records died; try --jobs 1") from error


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """New interpreters instead of forks: libraries in use hold threads that a fork would lose."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_leave_interrupts)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    """Ctrl-C is for the parent, which cancels what has not begun."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
