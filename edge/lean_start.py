"""The start of a process that runs for months: quick, and with no more memory than it needs.

Measured by `edge bench` (cold start), which starts in the same way.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from edge.mapped_pages import give_back

__all__ = ["lean_start"]

_COMPILER, _COMPILER_LIBRARY = "numba", "libllvmlite"
_OFFERED_TO_KERNELS = ("scipy",)
"""Numba imports it where it is installed, to know whether kernels may use its linear algebra, and
looks again when one does. CFFI is not among these: whether it is there Numba asks only once.
"""


@contextmanager
def lean_start() -> Iterator[None]:
    """Import inside it, on the only thread, what the process needs as long as it lives, all kernels
    among it.

    Inside, SciPy cannot be imported, unless it is already: the kernels do not use it. Afterwards
    it can; Numba, too, finds it for whoever calls its linear algebra. Nothing is collected
    inside, and what is there at the end is not looked at by the collector again: a full
    collection would halt all threads for it. The pages of the compiler's library are given
    back. Where Numba was imported before, all this comes too late, and nothing is done.
    """
    if _COMPILER in sys.modules:
        yield
        return
    with _uncollected(), _hidden(_OFFERED_TO_KERNELS):
        yield
    give_back(_COMPILER_LIBRARY)


@contextmanager
def _uncollected() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextmanager
def _hidden(packages: tuple[str, ...]) -> Iterator[None]:
    """None in their place: so `import` is told that there is no such package."""
    absent = [each for each in packages if each not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for each in absent:
            sys.modules.pop(each, None)
