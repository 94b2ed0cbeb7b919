"""Which errors mean that memory is used up."""

from __future__ import annotations

import gc

import torch

SIGNS = (
    "DefaultCPUAllocator", "not enough memory", "CUDA out of memory", "CUDA_ERROR_OUT_OF_MEMORY",
    "CUBLAS_STATUS_ALLOC_FAILED", "out of memory",
)
"""What the messages of allocators say that raise a plain RuntimeError."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, the computer's or the GPU's, is used up."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


def release(device: torch.device) -> None:
    """Give back what is held of a GPU for later use; a computer's memory is given back at once."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
