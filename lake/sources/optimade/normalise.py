"""An OPTIMADE structure to a row of `calculations`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from lake.crystal.columns import add_compositions
from lake.crystal.formula import formula, parse, reduced
from lake.sources.batch import Batch
from lake.sources.crystals import Crystal, set_crystals
from lake.sources.optimade.declaration import PROVIDERS
from lake.sources.optimade.providers import FIELDS, NONE, functional_of, mp_stability
from lake.sources.optimade.records import LICENSE, PROVIDER, UNKNOWN_PROVIDER, attributes, local_id
from lake.sources.values import BadValueError, number, text, whole

_NOTHING = {"na", "n/a", "none", "null", ""}
_INCOMPLETE = {"implicit_atoms": "implicit_atoms", "assemblies": "disordered_structure"}
"""Structure features by which the sites are not the whole crystal, and the reason code of each."""


def normalise_structures(batch: Batch, origin: str) -> None:
    """Fill the columns of `calculations` from structure resources of any provider."""
    fields = [attributes(record) for record in batch.records]
    prefixes = [str(record.get(PROVIDER, UNKNOWN_PROVIDER)) for record in batch.records]
    _add_structures(batch, fields)
    _add_energies(batch, fields, prefixes)
    _add_settings(batch, fields, prefixes)
    _add_provenance(batch, fields, prefixes, origin)


def quantity(value: Any) -> float | None:
    """A number; null for null and for the texts that providers write for nothing (JARVIS: na).

    Raises:
        BadValueError: it is no number.
    """
    return None if isinstance(value, str) and value.strip().lower() in _NOTHING else number(value)


def _add_structures(batch: Batch, fields: list[dict[str, Any]]) -> None:
    for index, record in enumerate(fields):
        features = record.get("structure_features")
        for feature in features if isinstance(features, list) else []:
            if isinstance(feature, str) and feature in _INCOMPLETE:
                batch.reject(index, _INCOMPLETE[feature], f"structure_features: {feature}, the sites are not all")
    crystals = [_crystal(record) for record in fields]
    set_crystals(batch, crystals)
    counts = batch.cleaned("nsites", [f.get("nsites") for f in fields], whole)
    contents: list[dict[str, int] | None] = []
    smallest: list[dict[str, int] | None] = []
    for index, (record, crystal, sites) in enumerate(zip(fields, crystals, counts, strict=True)):
        stated = record.get("chemical_formula_reduced")
        parsed = parse(stated) if isinstance(stated, str) and len(stated) <= 1_000 else None
        smallest.append(reduced(parsed) if parsed and crystal is None else None)
        contents.append(_content(smallest[-1], sites))
        if crystal is not None and isinstance(crystal.positions, list) and sites not in (None, len(crystal.positions)):
            batch.reject(index, "contradictory", f"nsites is {sites}, but there are {len(crystal.positions)} positions")
    batch.set("formula_reduced", [formula(c) if c else None for c in smallest])
    batch.set("elements", [sorted(c) if c else None for c in smallest])
    batch.set("n_elements", [len(c) if c else None for c in smallest])
    add_compositions(batch, contents)


def _crystal(record: dict[str, Any]) -> Crystal | None:
    """The structure; None where it is not part of the reply or is not periodic in all directions."""
    lattice, positions = record.get("lattice_vectors"), record.get("cartesian_site_positions")
    sites = record.get("species_at_sites")
    if lattice is None or positions is None or sites is None:
        return None
    if isinstance(lattice, list) and any(row is None or (isinstance(row, list) and None in row) for row in lattice):
        directions = record.get("dimension_types")
        if isinstance(directions, list) and 0 in directions:
            return None
    return Crystal(lattice, positions, sites, record.get("species"))


def _content(counts: dict[str, int] | None, sites: int | None) -> dict[str, int] | None:
    """The content of a cell of so many sites, where a whole number of formula units fills it."""
    if not counts or not sites or sites < 1 or sites % sum(counts.values()):
        return None
    return {element: count * (sites // sum(counts.values())) for element, count in counts.items()}


def _add_energies(batch: Batch, fields: list[dict[str, Any]], prefixes: list[str]) -> None:
    known = [FIELDS.get(prefix, NONE) for prefix in prefixes]

    def column(name: str, which: str) -> list[Any]:
        return batch.cleaned(name, [_field(f, getattr(k, which)) for f, k in zip(fields, known, strict=True)], quantity)

    formation = column("formation_energy_ev_per_atom", "formation_energy")
    hull = column("energy_above_hull_ev_per_atom", "hull_distance")
    functionals = batch.cleaned("xc_functional", list(zip(prefixes, fields, strict=True)),
                                lambda pair: functional_of(*pair))
    references = [None if e is None else prefix.split("-")[0] for e, prefix in zip(formation, prefixes, strict=True)]
    behind = [None if e is None else xc for e, xc in zip(formation, functionals, strict=True)]
    collections: list[Any] = [None] * len(batch)
    for index, (record, prefix) in enumerate(zip(fields, prefixes, strict=True)):
        stability = mp_stability(record.get("_mp_stability")) if prefix == "mp" else None
        if stability is None:
            continue
        try:
            formation[index] = quantity(stability.formation_energy)
            hull[index] = quantity(stability.hull_distance)
        except BadValueError as error:
            batch.reject(index, "bad_value", f"_mp_stability: {error}")
        references[index], behind[index] = stability.reference, stability.functional
        collections[index] = stability.thermo_type
    batch.set("formation_energy_ev_per_atom", formation)
    batch.set("formation_energy_reference", references)
    batch.set("formation_energy_functional", behind)
    batch.set("energy_above_hull_ev_per_atom", hull)
    batch.set("collection", collections)
    gaps = batch.set("band_gap_ev", column("band_gap_ev", "band_gap"))
    batch.set("band_gap_functional", [None if g is None else xc for g, xc in zip(gaps, functionals, strict=True)])
    batch.set("xc_functional", functionals)
    cells = column("total_energy_ev_per_atom", "total_energy_per_cell")
    totals = column("total_energy_ev_per_atom", "total_energy_per_atom")
    atoms = [species and len(species) for species in batch.column("species_at_sites")]
    batch.set("total_energy_ev_per_atom", [
        cell / n if value is None and cell is not None and n else value
        for value, cell, n in zip(totals, cells, atoms, strict=True)
    ])


def _field(record: dict[str, Any], name: str | None) -> Any:
    """A provider's field; AFLOW's server writes names in lower case, its documentation does not."""
    if name is None:
        return None
    return record[name] if name in record else record.get(name.lower())


def _add_settings(batch: Batch, fields: list[dict[str, Any]], prefixes: list[str]) -> None:
    codes = batch.texts("code", [
        _nomad(record, "program_name") if prefix == "nmd" else FIELDS.get(prefix, NONE).code
        for record, prefix in zip(fields, prefixes, strict=True)
    ])
    batch.set("code", [code and code.lower() for code in codes])
    batch.texts("code_version", [_nomad(record, "program_version") for record in fields])


def _nomad(record: dict[str, Any], name: str) -> Any:
    return record.get(f"_nmd_results_method_simulation_{name}")


def _add_provenance(batch: Batch, fields: list[dict[str, Any]], prefixes: list[str], origin: str) -> None:
    groups = [
        _field(record, "space_group_it_number") or _field(record, FIELDS.get(prefix, NONE).space_group)
        for record, prefix in zip(fields, prefixes, strict=True)
    ]
    numbers = batch.cleaned("spacegroup_source", groups, lambda value: whole(quantity(value)))
    batch.set("spacegroup_source", [n or None for n in numbers])
    ids = [local_id(record) for record in batch.records]
    batch.texts("material_id", [
        name if prefix == "mp" else record.get("_nmd_results_material_material_id")
        for name, prefix, record in zip(ids, prefixes, fields, strict=True)
    ])
    batch.set("source_url", [
        _page(name, prefix, record, origin) for name, prefix, record in zip(ids, prefixes, fields, strict=True)
    ])
    stated = [f.get("license") or f.get("_nmd_license") or r.get(LICENSE)
              for f, r in zip(fields, batch.records, strict=True)]
    licences = batch.cleaned("license", stated, lambda value: text(value) if isinstance(value, str) else None)
    batch.set("license", [
        licence or (PROVIDERS[prefix].license if prefix in PROVIDERS else None)
        for licence, prefix in zip(licences, prefixes, strict=True)
    ])
    batch.set("redistributable", [_may_pass_on(licence) for licence in batch.column("license")])


def _may_pass_on(licence: str | None) -> bool | None:
    """Whether a licence lets rows be passed on; null where there is none, then the declaration holds."""
    if licence is None:
        return None
    words = set(licence.upper().replace("-", " ").replace("/", " ").split())
    return bool(words & {"CC", "CC0", "PDDL", "ODBL", "CREATIVECOMMONS.ORG"}) and not words & {"NC", "ND"}


def _page(name: str | None, prefix: str, record: dict[str, Any], origin: str) -> str | None:
    """The record's page for a person, else its address in the API."""
    if name is None:
        return None
    if prefix == "oqmd" and isinstance(record.get("_oqmd_entry_id"), int):
        return f"https://oqmd.org/materials/entry/{record['_oqmd_entry_id']}"
    known = PROVIDERS.get(prefix)
    if known and known.page:
        return known.page.format(id=quote(name, safe=""))
    parts = urlsplit(origin) if origin.startswith(("http://", "https://")) else None
    if parts is None or "/structures" not in parts.path:
        return None
    path = parts.path[: parts.path.rindex("/structures")]
    return f"{parts.scheme}://{parts.netloc}{path}/structures/{quote(name, safe='')}"
