"""Memory that comes and goes as tensors do is not faulted in again while a network is trained."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]

# What PyTorch asks for and gives back for a tensor of 1.2 MB, in a process of its own: after other tests there may be
# holes in the heap, which glibc fills before it asks the kernel.
TENSORS = """
import ctypes
import resource

from ml.training.freed_memory import DEFAULT_BYTES, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, kept_freed_memory

libc = ctypes.CDLL(None)
N_BYTES = 1_200_000


def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        tensor = ctypes.c_void_p()
        assert libc.posix_memalign(ctypes.byref(tensor), ctypes.c_size_t(64), ctypes.c_size_t(N_BYTES)) == 0
        ctypes.memset(tensor, 1, N_BYTES)
        libc.free(tensor)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


libc.mallopt(M_TRIM_THRESHOLD, 65536)
libc.mallopt(M_MMAP_THRESHOLD, DEFAULT_BYTES)
without = faults()
with kept_freed_memory():
    faults()
    kept = faults()
print(without, kept, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this libc is not glibc")
def test_freed_memory_stays_while_it_is_needed() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", TENSORS], cwd=REPO, capture_output=True, text=True, timeout=60, check=True
    )
    without, kept, afterwards = map(int, ended.stdout.split())
    # Pages are 64 KiB at most, so that 100 tensors have 1,800 at least.
    assert without > 1_000
    assert kept < without / 20
    assert afterwards > without / 2
