"""How the kernels of this folder are compiled: as all of matlake's are.

After editing ``vector.py`` or ``bounds.py``, which kernels of other files call, remove the ``*.nbi`` files beside them
(or those in NUMBA_CACHE_DIR).
"""

from __future__ import annotations

from lake.compiled import Function, compiled

__all__ = ["Function", "compiled"]
