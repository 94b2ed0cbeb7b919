"""How kernels are compiled: once per machine and dtype, without the interpreter's lock, without division checks.

numba notices a change of the file in which a kernel stands, not of the kernels that this one calls: after editing one
that others call, remove the ``*.nbi`` files of their folder (or those in NUMBA_CACHE_DIR).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile with numba on first use and keep the machine code beside the file (or where NUMBA_CACHE_DIR says).

    Where neither this folder nor the user's cache can be written, each process compiles for itself.
    """
    try:
        return cast(Function, njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # numba's "no locator available": nowhere to write
        return cast(Function, njit(nogil=True, error_model="numpy")(function))
