"""Conversion factors from SI to the lake's units (CODATA 2018; the elementary charge is exact)."""

from __future__ import annotations

ELEMENTARY_CHARGE_COULOMB = 1.602176634e-19

EV_PER_JOULE = 1.0 / ELEMENTARY_CHARGE_COULOMB
"""Energies: J → eV."""

PER_EV_PER_PER_JOULE = ELEMENTARY_CHARGE_COULOMB
"""Densities of states: 1/J → 1/eV."""

ANGSTROM_PER_METRE = 1e10
"""Lengths: m → Å."""
