"""How every kernel of the runtime is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def kernel(signature: str | tuple[Any, ...] | Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator that compiles a function ahead of use for one explicit signature.

    The machine code is cached on disk; where no cache folder can be written (a read-only
    system without NUMBA_CACHE_DIR) it is compiled at each start instead.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            compiler = numba.njit(signature, cache=True, nogil=True, error_model="numpy")
            return compiler(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
        return numba.njit(signature, nogil=True, error_model="numpy")(function)

    return decorate


def part(function: Callable[..., Any]) -> Any:
    """Decorator for a function that kernels share: it becomes part of each that calls it.

    It costs no call and no reference count an array, which is worth it once a sample.
    """
    return numba.njit(function, inline="always", error_model="numpy")


def direct(compiled: Any) -> Callable[..., Any]:
    """A kernel without the look at its arguments' types, which takes it as long as the work on a
    short packet of samples.

    Only for arguments that are certain to be as its signature says: others are read as if they
    were.
    """
    (only,) = compiled.overloads.values()
    entry: Callable[..., Any] = only.entry_point
    return entry


__all__ = ["direct", "kernel", "part"]
