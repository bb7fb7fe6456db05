"""Compiled kernels of the signal path: the only loops over samples in the runtime.

Every kernel has an explicit signature, so it is compiled once when its module is imported (or
loaded from Numba's cache) and never inside the sample loop. Arithmetic is IEEE in program
order (`fastmath` off, no threads): the same samples give the same bits, however they are cut
into chunks.

They take parts, kernels and figures from files of this folder only: where one of these has changed,
all are compiled anew (`models/compiled.py`).
"""

from models.compiled import direct, kernel, part

__all__ = ["direct", "kernel", "part"]
