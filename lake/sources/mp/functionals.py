"""The functional behind every energy of the Materials Project: its run types, hulls and releases."""

from __future__ import annotations

import re
from typing import Any

from lake.sources.values import text

MIXED = "pbe_r2scan_mixed"
"""A hull on which every material has a PBE(+U) or an r2SCAN energy, whichever is there."""
FIRST_MP2020 = (2021, 5, 13)
FIRST_MIXED = (2022, 10, 28)

_NAMES = {
    "gga": "pbe", "pe": "pbe", "ps": "pbesol", "91": "pw91", "rp": "rpbe", "revpbe+pade": "rpbe", "ca": "lda",
    "pz": "lda", "r2scan": "r2scan", "hse": "hse06",
}
_HULLS = {"GGA_GGA+U": "pbe", "R2SCAN": "r2scan", "GGA_GGA+U_R2SCAN": MIXED, "UNKNOWN": None}
_POTENTIALS = {"paw_pbe": "pbe", "paw_gga": "pw91", "paw": "lda", "paw_lda": "lda"}
_PLUS_U = re.compile(r"[+_ ]u$")
_VERSION = re.compile(r"v?(\d{4})[-_.](\d{1,2})(?:[-_.](\d{1,2}))?(?!\d)")


def of_run_type(value: Any) -> tuple[str | None, bool | None]:
    """The functional that a run type names, and whether it says +U: ``GGA+U`` → pbe, True.

    MP's GGA is PBE, the functional of its potentials; (None, None) where there is no run type.
    """
    name = text(value, 60)
    if name is None or name.lower() == "unknown":
        return None, None
    bare = _PLUS_U.sub("", name.lower())
    return _NAMES.get(bare, bare), bare != name.lower()


def of_hull(thermo_type: str | None) -> str | None:
    """The functional of a hull's formation energies: ``GGA_GGA+U`` → pbe, ``R2SCAN`` → r2scan, both → mixed."""
    if thermo_type is None or thermo_type in _HULLS:
        return _HULLS.get(thermo_type or "")
    return of_run_type(thermo_type)[0]


def of_potentials(titles: list[str] | None) -> str | None:
    """The functional that potentials were made for, by the first word of their titles (``PAW_PBE Si …`` → pbe)."""
    found = {_POTENTIALS.get(title.split()[0].lower()) for title in titles or [] if title.split()}
    return found.pop() if len(found) == 1 else None


def release(version: Any) -> tuple[int, int, int] | None:
    """Year, month and day in a release's name: 2026-04-13, 2022.10.28, 2021_11_10, v2025.02.12.post1."""
    found = _VERSION.match(version.strip()) if isinstance(version, str) and len(version) < 100 else None
    return (int(found[1]), int(found[2]), int(found[3] or 1)) if found else None
