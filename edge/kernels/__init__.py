"""Compiled kernels of the signal path: the only loops over samples in the runtime.

Every kernel has an explicit signature, so it is compiled once when its module is imported (or
loaded from Numba's cache) and never inside the sample loop. Arithmetic is IEEE in program
order (`fastmath` off, no threads): the same samples give the same bits, however they are cut
into chunks.

Numba compiles a kernel anew when its own file has changed, not when a file that it takes parts or
kernels from has: after an edit to such a file, `touch edge/kernels/*.py`.
"""

from models.compiled import direct, kernel, part

__all__ = ["direct", "kernel", "part"]
