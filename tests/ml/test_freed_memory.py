"""Tensors that come and go do not fault their pages in again while a network is trained."""

from __future__ import annotations

import ctypes
import platform
import resource

import pytest

from ml.training.freed_memory import DEFAULT_BYTES, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, kept_freed_memory


def faults() -> int:
    """Pages that were mapped while tensors of 1.2 MB were made and thrown away."""
    import torch

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        torch.ones(300_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this libc is not glibc")
def test_freed_memory_stays_while_it_is_needed() -> None:
    libc = ctypes.CDLL(None)
    libc.mallopt(M_TRIM_THRESHOLD, 65536)
    libc.mallopt(M_MMAP_THRESHOLD, DEFAULT_BYTES)
    without = faults()
    with kept_freed_memory():
        faults()
        kept = faults()
    assert kept < without / 20
