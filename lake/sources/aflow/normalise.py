"""An AFLOW entry to a row of `calculations`: energies, gap, provenance; cell and settings in their own files."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from lake.sources.aflow.cells import add_cells
from lake.sources.aflow.declaration import ENTRIES_URL
from lake.sources.aflow.lists import quantity, texts
from lake.sources.aflow.settings import add_settings
from lake.sources.batch import Batch
from lake.sources.values import text, whole

_ICSD = re.compile(r"_ICSD_(\d{1,8})(?:\D|$)")
_NUMBER_OF_GROUP = re.compile(r"#\s*(\d{1,3})\b")
_AURL = re.compile(r"[A-Za-z0-9.\-]+:(AFLOWDATA/[^\s?#]+)")


def normalise_entries(batch: Batch) -> None:
    """Fill the columns of `calculations` from AFLUX rows or whole entries."""
    atoms, elements, constants = add_cells(batch)
    functionals = add_settings(batch, constants, elements)
    _add_energies(batch, atoms, functionals)
    _add_gap(batch, functionals)
    _add_spin(batch, atoms)
    _add_provenance(batch)
    batch.set("spacegroup_source", _space_groups(batch))


def entry_path(aurl: Any) -> str | None:
    """The path of an entry below its server, from its aurl; None where it is no aurl.

    ``aflowlib.duke.edu:AFLOWDATA/LIB1_RAW/Ac:PAW_GGA:11Apr2000/A1`` → ``AFLOWDATA/LIB1_RAW/…``.
    """
    found = _AURL.fullmatch(aurl.strip()) if isinstance(aurl, str) and len(aurl) < 2_000 else None
    if found is None or any(part in ("", ".", "..") for part in found[1].rstrip("/").split("/")):
        return None
    return found[1].rstrip("/")


def entry_url(aurl: Any, server: str = ENTRIES_URL) -> str | None:
    """The address of an entry's page and files; None where there is no aurl."""
    path = entry_path(aurl)
    return f"{server}/{quote(path, safe='/:')}" if path else None


def _add_energies(batch: Batch, atoms: list[Any], functionals: list[Any]) -> None:
    def per_atom(stem: str) -> list[Any]:
        given = batch.cleaned(f"{stem}_atom", batch.values(f"{stem}_atom"), quantity)
        cells = batch.cleaned(f"{stem}_cell", batch.values(f"{stem}_cell"), quantity)
        return [
            cell / n if value is None and cell is not None and n else value
            for value, cell, n in zip(given, cells, atoms, strict=True)
        ]

    batch.set("total_energy_ev_per_atom", per_atom("energy"))
    choices = {
        "aflow": per_atom("enthalpy_formation"),
        "cce_300k": per_atom("enthalpy_formation_cce_300K"),
        "cce_0k": per_atom("enthalpy_formation_cce_0K"),
    }
    picked = [
        next(((name, column[i]) for name, column in choices.items() if column[i] is not None), (None, None))
        for i in range(len(batch))
    ]
    batch.set("formation_energy_ev_per_atom", [value for _, value in picked])
    batch.set("formation_energy_reference", [name for name, _ in picked])
    batch.set(
        "formation_energy_functional",
        [f if name else None for (name, _), f in zip(picked, functionals, strict=True)],
    )


def _add_gap(batch: Batch, functionals: list[Any]) -> None:
    gaps = batch.set("band_gap_ev", batch.values("Egap"), quantity)
    batch.set("band_gap_functional", [None if g is None else f for g, f in zip(gaps, functionals, strict=True)])
    batch.set("band_gap_type", batch.values("Egap_type"), _gap_type)


def _gap_type(value: Any) -> str | None:
    found = texts(value)
    name = (text(found[0], 100) or "").lower() if found else ""
    # "indirect" holds "direct", "half-metal" holds "metal": the longer ones come first
    return next((kind for kind in ("half-metal", "metal", "indirect", "direct") if kind in name), name or None)


def _add_spin(batch: Batch, atoms: list[Any]) -> None:
    given = batch.cleaned("spin_atom", batch.values("spin_atom"), quantity)
    cells = batch.cleaned("spin_cell", batch.values("spin_cell"), quantity)
    moments = [
        cell / n if value is None and cell is not None and n else value
        for value, cell, n in zip(given, cells, atoms, strict=True)
    ]
    batch.set("magnetization_mu_b_per_atom", moments)
    # AFLOW switches spins off where moments vanish: a zero does not say whether they were free
    batch.set("spin_polarized", [True if moment else None for moment in moments])


def _add_provenance(batch: Batch) -> None:
    aurls = batch.values("aurl")
    batch.set("source_url", [entry_url(aurl) for aurl in aurls])
    batch.set("database_version", batch.first(("aflowlib_version",), ("aflow_version",)), _first_text)
    catalogs = batch.cleaned("collection", batch.values("catalog"), _first_text)
    batch.set("collection", [c.upper() if c else _library(a) for c, a in zip(catalogs, aurls, strict=True)])
    numbers = [batch.cleaned("material_id", batch.values(key), _icsd) for key in ("aurl", "prototype")]
    batch.set("material_id", [a or b for a, b in zip(*numbers, strict=True)])


def _first_text(value: Any) -> str | None:
    found = texts(value)
    return text(found[0], 200) if found else None


def _library(aurl: Any) -> str | None:
    """ICSD of ICSD_WEB, LIB2 of LIB2_RAW."""
    path = entry_path(aurl)
    parts = path.split("/") if path else []
    return parts[1].removesuffix("_WEB").removesuffix("_RAW") if len(parts) > 1 else None


def _icsd(value: Any) -> str | None:
    found = _ICSD.search(value[:2_000]) if isinstance(value, str) else None
    return f"icsd-{found[1]}" if found else None


def _space_groups(batch: Batch) -> list[Any]:
    stated = batch.cleaned("spacegroup_source", batch.values("spacegroup_relax"), lambda v: whole(quantity(v)))
    symbols = batch.cleaned("spacegroup_source", batch.first(("sg2",), ("sg",)), _group_number)
    # AFLOW writes 0 where its analysis failed
    return [number or symbol for number, symbol in zip(stated, symbols, strict=True)]


def _group_number(value: Any) -> int | None:
    found = texts(value)
    number = _NUMBER_OF_GROUP.search(found[-1][:200]) if found else None
    return int(number[1]) if number and int(number[1]) else None
