"""Pages of a library that nothing needs any more, given back to the system.

What a library's code and constants once touched stays in the memory of the process until the
system runs short. Pages that are as the file has them may go before: whoever needs one again
gets it from the cache of the file.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np

__all__ = ["give_back"]

# Bits of an entry of /proc/PID/pagemap, as the kernel's admin-guide/mm/pagemap.rst has them.
_SWAPPED = 62  # and 63: present
_OF_A_FILE = 61


def give_back(library: str, proc: Path = Path("/proc/self")) -> int:
    """Let go of the unchanged pages of a library in this process; returns their bytes.

    library: how the name of its file begins, such as "libllvmlite". What can be written, or holds
    pages of this process alone (relocated addresses, a debugger's breakpoints), is kept whole.
    0 where the system does not tell what is mapped.
    """
    try:
        return sum(_let_go(span, proc) for span in _read_only(library, proc))
    except OSError:
        return 0


def _read_only(library: str, proc: Path) -> Iterator[range]:
    """Addresses at which the library is mapped and cannot be written."""
    for line in (proc / "maps").read_text(errors="replace").splitlines():
        span, access, *_, path = line.split(maxsplit=5)
        if Path(path).name.startswith(library) and "w" not in access:
            start, stop = (int(edge, 16) for edge in span.split("-"))
            yield range(start, stop)


def _let_go(span: range, proc: Path) -> int:
    pages = len(span) // mmap.PAGESIZE
    at = span.start // mmap.PAGESIZE * np.dtype(np.uint64).itemsize
    told = np.fromfile(proc / "pagemap", np.uint64, count=pages, offset=at)
    held = told[told >> _SWAPPED != 0]
    unchanged = held >> _OF_A_FILE & 1 == 1
    told_of_all = len(told) == pages and len(held) > 0  # an emulator may tell of other addresses
    if not told_of_all or not unchanged.all() or not _unmapped(span):
        return 0
    return len(held) * mmap.PAGESIZE


def _unmapped(span: range) -> bool:
    """Whether the system took the pages."""
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return bool(advise(span.start, len(span), mmap.MADV_DONTNEED) == 0)
