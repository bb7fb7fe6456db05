"""How every kernel of the runtime is compiled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numba

_SHARING = "kernels"
"""Name of a folder whose files take parts, kernels and figures from each other."""


def kernel(signature: str | tuple[Any, ...] | Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator that compiles a function ahead of use for one explicit signature.

    The machine code is cached on disk until a source changes that it may be made of: the
    function's own file, in a folder `kernels` all of the folder. Where no cache folder can be
    written (a read-only system without NUMBA_CACHE_DIR) it is compiled at each start instead.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        compiled = _compiler(function)
        if hasattr(compiled, "compile"):  # not where NUMBA_DISABLE_JIT leaves the function alone
            if not _caches(compiled, Path(function.__code__.co_filename)):
                compiled = _compiler(function)
            compiled.compile(signature)
            compiled.disable_compile()
        return compiled

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


def _compiler(function: Callable[..., Any]) -> Any:
    return numba.njit(function, nogil=True, error_model="numpy")


def _caches(compiled: Any, source: Path) -> bool:
    """Have it cached until a source changes that it may be made of; False where that cannot be.

    Numba by itself looks at the function's own file only, and its stamp is not open to others.
    Where another version of it has none such, nothing is cached: stale code gives wrong numbers
    and says nothing.
    """
    try:
        compiled.enable_caching()
        index = compiled._cache._cache_file
        index._source_stamp = (index._source_stamp, _stamp(source))
    except AttributeError:
        return False
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        return False
    return True


def _stamp(source: Path) -> str:
    folder = source.parent
    return _digest(folder) if folder.name == _SHARING else _digest(source)


@cache
def _digest(path: Path) -> str:
    """Of this source, or of all in this folder, and of how they are compiled."""
    own = sorted(path.glob("*.py")) if path.is_dir() else [path]
    return _hashed([Path(__file__), *own])


def _hashed(sources: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for source in sources:
        text = source.read_bytes() if source.exists() else b""
        digest.update(b"%s %d\n" % (source.name.encode(), len(text)))
        digest.update(text)
    return digest.hexdigest()


__all__ = ["direct", "kernel", "part"]
