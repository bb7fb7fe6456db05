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


__all__ = ["kernel"]
