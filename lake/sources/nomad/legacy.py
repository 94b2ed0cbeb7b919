"""Archives in the spelling of NOMAD before version 1 (``section_run`` …) in today's words.

Units did not change (J, m, 1/J per cell). Translated is what a row is made from: structure, program, method,
total energy, reference energies and densities of states. ``dos_values_normalized`` (per atom and volume) is not
read: ``dos_values`` stands beside it.
"""

from __future__ import annotations

from typing import Any

from lake.sources.batch import dig

_METHODS = {"DFT+U": "DFT+U", "DFT": "DFT"}


def sections(value: Any) -> list[dict[str, Any]]:
    """A repeating section as a list of dicts, whether it came as a list or alone."""
    found = value if isinstance(value, list) else [value]
    return [item for item in found if isinstance(item, dict)]


def modern_run(run: dict[str, Any]) -> dict[str, Any]:
    """A ``section_run`` as a ``run``."""
    configurations = sections(run.get("section_single_configuration_calculation"))
    return {
        "program": {"name": run.get("program_name"), "version": run.get("program_version")},
        "system": [_system(s) for s in sections(run.get("section_system"))],
        "method": [_method(m, run) for m in sections(run.get("section_method"))],
        "calculation": [_calculation(c) for c in configurations],
    }


def modern_results(run: dict[str, Any]) -> dict[str, Any]:
    """What a ``section_run`` says of its method, in the words of ``results``."""
    method = next(iter(sections(run.get("section_method"))), {})
    stated = method.get("electronic_structure_method")
    names = [n for s in sections(method.get("section_XC_functionals")) if (n := s.get("XC_functional_name"))]
    channels = method.get("number_of_spin_channels")
    dft = {
        "basis_set_type": run.get("program_basis_set_type"),
        "xc_functional_names": names or None,
        "relativity_method": method.get("relativity_method"),
        "spin_polarized": channels == 2 if channels in (1, 2) else None,
    }
    return {
        "method": {
            "method_name": "DFT" if str(stated) in _METHODS else stated,
            "simulation": {"program_name": run.get("program_name"), "dft": dft},
        },
        "material": {},
    }


def _system(system: dict[str, Any]) -> dict[str, Any]:
    lattice = system.get("lattice_vectors")
    return {"atoms": {
        "labels": system.get("atom_labels"),
        "positions": system.get("atom_positions"),
        "lattice_vectors": system.get("simulation_cell") if lattice is None else lattice,
        "periodic": system.get("configuration_periodic_dimensions"),
    }}


def _method(method: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    cutoffs = [
        {"planewave_cutoff": cell["basis_set_planewave_cutoff"]}
        for cell in sections(run.get("section_basis_set_cell_dependent"))
        if cell.get("basis_set_planewave_cutoff") is not None
    ]
    return {
        "electronic": {"method": _METHODS.get(str(method.get("electronic_structure_method")))},
        "k_mesh": {"grid": method.get("k_mesh_grid"), "n_points": method.get("number_of_k_points")},
        "basis_set": [{"cell_dependent": cutoffs}] if cutoffs else [],
    }


def _calculation(calculation: dict[str, Any]) -> dict[str, Any]:
    densities = sections(calculation.get("dos_electronic")) or [
        s for s in sections(calculation.get("section_dos")) if s.get("dos_kind") != "vibrational"
    ]
    fermi = _highest(calculation.get("energy_reference_fermi"))
    return {
        "energy": {
            "total": {"value": calculation.get("energy_total")},
            "fermi": fermi,
            "highest_occupied": _highest(calculation.get("energy_reference_highest_occupied")),
        },
        "dos_electronic": [_density(density, fermi) for density in densities],
    }


def _density(density: dict[str, Any], fermi: Any) -> dict[str, Any]:
    if "dos_energies" not in density and "dos_values" not in density:
        return density
    values = density.get("dos_values")
    nested = isinstance(values, list) and values and isinstance(values[0], list)
    channels = values if nested else [values]
    assert isinstance(channels, list)
    stated = density.get("dos_fermi_energy")
    spins = sections(density.get("section_dos_channel_info")) or sections(density.get("channel_info"))
    return {
        "energies": density.get("dos_energies"),
        "energy_fermi": fermi if stated is None else _highest(stated),
        "total": [{"value": v, "spin": i} for i, v in enumerate(channels)],
        "band_gap": [{"energy_highest_occupied": _of_channel(info)} for info in spins],
    }


def _of_channel(info: dict[str, Any]) -> Any:
    return dig(info, ("energy_highest_occupied",))


def _highest(value: Any) -> Any:
    """The highest of a value per spin channel."""
    if isinstance(value, list):
        found = [v for v in value if isinstance(v, int | float) and not isinstance(v, bool)]
        return max(found) if found else None
    return value
