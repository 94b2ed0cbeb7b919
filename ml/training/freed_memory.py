"""Keeping freed memory in the process while tensors come and go.

glibc gives memory back to the kernel when enough of it is free, and every page of it is cleared and mapped anew when it
is asked for again. Workers of Dask run with `MALLOC_TRIM_THRESHOLD_=65536`, so that each step of training did that for
all of its tensors: 40 % of the time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

# malloc.h of glibc
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 1 << 30
LARGEST_KEPT_BYTES = 32 << 20
DEFAULT_BYTES = 128 << 10


@contextmanager
def kept_freed_memory() -> Iterator[None]:
    """Up to 1 GiB of freed memory stays in the process; afterwards it is given back. Without glibc nothing is done."""
    try:
        libc = ctypes.CDLL(None)
        mallopt, malloc_trim = libc.mallopt, libc.malloc_trim
    except (OSError, AttributeError, TypeError):
        yield
        return
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
    try:
        yield
    finally:
        mallopt(M_TRIM_THRESHOLD, DEFAULT_BYTES)
        mallopt(M_MMAP_THRESHOLD, DEFAULT_BYTES)
        malloc_trim(0)
