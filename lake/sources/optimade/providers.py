"""The fields that providers add to OPTIMADE's own, as far as they become columns.

Sources: the providers' ``/info/structures`` as listed on https://www.optimade.org/providers-dashboard, emmet
(``_mp_stability``), qmpy (``_oqmd_…``), and the field lists of JARVIS, Alexandria, AFLOW and NOMAD. A field whose
unit is not known for sure is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lake.sources.libxc import functional
from lake.sources.values import items, text


@dataclass(frozen=True)
class Fields:
    """Which of a provider's fields hold what; energies in eV/atom, gaps in eV.

    ``functional`` is what the provider computes everything with, null where that differs from record to record.
    ``total_energy_per_cell`` is in eV.
    """

    formation_energy: str | None = None
    hull_distance: str | None = None
    band_gap: str | None = None
    total_energy_per_atom: str | None = None
    total_energy_per_cell: str | None = None
    space_group: str | None = None
    functional: str | None = None
    code: str | None = None
    others: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """All fields, to be asked for."""
        named = (self.formation_energy, self.hull_distance, self.band_gap, self.total_energy_per_atom,
                 self.total_energy_per_cell, self.space_group)
        return [name for name in named if name] + list(self.others)


def _alexandria(xc: str) -> Fields:
    return Fields(
        "_alexandria_formation_energy_per_atom", "_alexandria_hull_distance", "_alexandria_band_gap",
        total_energy_per_cell="_alexandria_energy", space_group="_alexandria_space_group", functional=xc, code="vasp",
    )


FIELDS: dict[str, Fields] = {
    "mp": Fields("_mp_formation_energy_per_atom", "_mp_energy_above_hull", "_mp_band_gap", code="vasp",
                 others=("_mp_stability",)),
    "oqmd": Fields("_oqmd_delta_e", "_oqmd_stability", "_oqmd_band_gap", functional="pbe", code="vasp",
                   others=("_oqmd_entry_id",)),
    "alexandria": _alexandria("pbe"),
    "alexandria-pbesol": _alexandria("pbesol"),
    "jarvis": Fields(
        "_jarvis_formation_energy_peratom", "_jarvis_ehull", "_jarvis_optb88vdw_bandgap",
        total_energy_per_atom="_jarvis_optb88vdw_total_energy", space_group="_jarvis_spg_number",
        functional="optb88-vdw", code="vasp",
    ),
    "aflow": Fields(
        "_aflow_enthalpy_formation_atom", None, "_aflow_Egap", total_energy_per_atom="_aflow_energy_atom",
        space_group="_aflow_spacegroup_relax", code="vasp", others=("_aflow_dft_type",),
    ),
    "nmd": Fields(
        space_group="_nmd_results_material_symmetry_space_group_number",
        others=("_nmd_results_material_material_id", "_nmd_results_method_simulation_program_name",
                "_nmd_results_method_simulation_program_version",
                "_nmd_results_method_simulation_dft_xc_functional_names", "_nmd_license"),
    ),
}
NONE = Fields()


@dataclass(frozen=True)
class Stability:
    """A formation energy with what it was computed with.

    Attributes:
        thermo_type: MP's name of the hull.
        functional: pbe, r2scan, or pbe_r2scan_mixed for the hull that is neither; spelt as by the source mp.
        reference: the scheme of the elemental references, likewise.
    """

    thermo_type: str
    functional: str
    reference: str
    formation_energy: Any
    hull_distance: Any


_THERMO_TYPES = (
    ("GGA_GGA+U", "pbe", "mp2020"),
    ("R2SCAN", "r2scan", "mp_uncorrected"),
    ("GGA_GGA+U_R2SCAN", "pbe_r2scan_mixed", "mp2020"),
)


def mp_stability(value: Any) -> Stability | None:
    """MP's hulls, the one of a single functional first: a mixed hull is no PBE."""
    if not isinstance(value, dict):
        return None
    by_name = {str(name).upper(): hull for name, hull in value.items() if isinstance(hull, dict)}
    for name, xc, reference in _THERMO_TYPES:
        hull = by_name.get(name, {})
        if hull.get("formation_energy_per_atom") is not None:
            return Stability(name, xc, reference, hull["formation_energy_per_atom"], hull.get("energy_above_hull"))
    return None


def functional_of(prefix: str, fields: dict[str, Any]) -> str | None:
    """The functional of a record where its provider says so, or uses only one.

    Raises:
        BadValueError: what is said is no list of texts.
    """
    if prefix == "nmd":
        return functional(items(fields.get("_nmd_results_method_simulation_dft_xc_functional_names"), text) or [])
    if prefix == "aflow":
        stated = str(fields.get("_aflow_dft_type") or "").upper()[:200]
        return "pbe" if "PBE" in stated and "RPBE" not in stated and "PBE+" not in stated else None
    return FIELDS.get(prefix, NONE).functional
