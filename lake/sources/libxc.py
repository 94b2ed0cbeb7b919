"""The name of a functional from the libxc names of its parts, as NOMAD and others list them."""

from __future__ import annotations

from collections.abc import Iterable

_PARTS: dict[str, str] = {
    "pbe": "GGA_X_PBE GGA_C_PBE",
    "pbesol": "GGA_X_PBE_SOL GGA_C_PBE_SOL",
    "rpbe": "GGA_X_RPBE GGA_C_PBE",
    "revpbe": "GGA_X_PBE_R GGA_C_PBE",
    "pw91": "GGA_X_PW91 GGA_C_PW91",
    "blyp": "GGA_X_B88 GGA_C_LYP",
    "am05": "GGA_X_AM05 GGA_C_AM05",
    "wc": "GGA_X_WC GGA_C_PBE",
    "hse06": "HYB_GGA_XC_HSE06",
    "hse03": "HYB_GGA_XC_HSE03",
    "pbe0": "HYB_GGA_XC_PBEH",
    "b3lyp": "HYB_GGA_XC_B3LYP",
    "scan": "MGGA_X_SCAN MGGA_C_SCAN",
    "rscan": "MGGA_X_RSCAN MGGA_C_RSCAN",
    "r2scan": "MGGA_X_R2SCAN MGGA_C_R2SCAN",
    "tpss": "MGGA_X_TPSS MGGA_C_TPSS",
    "revtpss": "MGGA_X_REVTPSS MGGA_C_REVTPSS",
    "m06-l": "MGGA_X_M06_L MGGA_C_M06_L",
}
_NAMES = {frozenset(parts.split()): name for name, parts in _PARTS.items()}


def functional(names: Iterable[str]) -> str | None:
    """One lower-case name for a set of libxc names; null for none.

    ``GGA_X_PBE`` with ``GGA_C_PBE`` → pbe; every local-density pair → lda; what has no name of its own →
    the parts, sorted and joined by ``+``.
    """
    parts = frozenset(stripped.upper() for name in names if (stripped := name.strip()))
    if not parts:
        return None
    if all(part.startswith("LDA_") for part in parts):
        return "lda"
    return _NAMES.get(parts) or "+".join(sorted(part.lower() for part in parts))


def parts_of(name: str) -> list[str] | None:
    """The libxc names behind a functional's name, exchange first; None where it has none (lda has many)."""
    found = _PARTS.get(name.strip().lower())
    return found.split() if found else None
