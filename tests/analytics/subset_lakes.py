"""Lakes to carve subsets from: two databases that have materials in common, and series of one material."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from report_lakes import calculation, fill
from similar_lakes import fingerprint, put_fingerprints

from analytics.subsets.saved import stored_members
from lake.store.lake import Lake

ELEMENTS = ("Al", "Ga", "In", "Mg", "O", "S", "Zn")
OFFSETS_EV = dict(zip(ELEMENTS, (0.01, -0.02, 0.03, 0.05, -0.3, 0.1, 0.2), strict=True))


def pairs() -> Iterator[tuple[str, str]]:
    for i, one in enumerate(ELEMENTS):
        for two in ELEMENTS[i + 1:]:
            yield one, two


def two_databases(lake: Lake) -> Lake:
    """`left` and `right` have 21 binary compounds in common; right = left + a sum over elements. Six more in left."""
    rows = []
    for number, (one, two) in enumerate(pairs()):
        energy = -1 - 0.01 * number
        shift = (OFFSETS_EV[one] + OFFSETS_EV[two]) / 2
        more = {"xc_functional": "pbe", "code": "vasp"}
        rows.append(calculation("left", f"{number:02}", {one: 1, two: 1}, formation_energy_ev_per_atom=energy, **more))
        rows.append(
            calculation("right", f"{number:02}", {one: 1, two: 1}, formation_energy_ev_per_atom=energy + shift, **more)
        )
    odd = [
        {"formation_energy_functional": "lda", "band_gap_functional": "lda", "xc_functional": "lda"},
        {"formation_energy_functional": None, "band_gap_functional": None, "xc_functional": None},
        {"deprecated": True},
        {"reduced_key": None, "cell_key": None},
        {"formation_energy_ev_per_atom": None},
        {"hubbard_u_ev": [("Fe", 4.0)]},
    ]
    rows += [calculation("left", f"odd{n}", {"Fe": 1, "O": n + 1}, **more) for n, more in enumerate(odd)]
    return fill(lake, "calculations", rows)


def a_series(lake: Lake, materials: int = 1, source: str = "x") -> Lake:
    """Convergence series: alike from 400 eV and 20 Å on, in two functionals and with two codes."""
    rows, prints = [], []
    rng = np.random.default_rng(0)
    for material in range(materials):
        base = rng.integers(10, 50, 144)
        for cutoff in (200.0, 300.0, 400.0, 500.0):
            for k in (8.123, 14.2, 20.04, 30.0):
                for functional in ("lda", "pbe"):
                    name = f"m{material}-{cutoff:.0f}-{k:.0f}-{functional}"
                    rows.append(calculation(
                        source, name, {"B": 1, "N": material + 1}, cutoff_ev=cutoff, k_point_density_angstrom=k,
                        xc_functional=functional, basis_set="plane waves", code="vasp", band_gap_ev=4 + 40 / cutoff,
                        formation_energy_functional=None, band_gap_functional=None,
                    ))
                    good = cutoff >= 400 and k > 20
                    counts = base + (functional == "lda") + rng.integers(0, 2, 144)
                    prints.append(fingerprint(f"{source}/{name}", counts if good else np.flip(counts) * (k > 9)))
    return put_fingerprints(fill(lake, "calculations", rows), prints)


def ids_of(lake: Lake, name: str, version: int) -> list[str]:
    return [str(one) for one in stored_members(lake, name, version)["calculation_id"].to_pylist()]


def visible(lake: Lake) -> list[tuple[Any, ...]]:
    """What a client of the catalogue sees: subset, version, number of members."""
    with lake.connect() as connection:
        return connection.execute(
            "select subset, version, count(*) from subset_members_current group by all order by all"
        ).fetchall()
