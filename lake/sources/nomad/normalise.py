"""A NOMAD entry or archive to a row of `calculations`, and its density of states to a row of `dos`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from lake.sources.batch import Batch
from lake.sources.dos import each_dos
from lake.sources.nomad.declaration import GUI_URL
from lake.sources.nomad.density import density_columns
from lake.sources.nomad.legacy import sections
from lake.sources.nomad.properties import add_properties
from lake.sources.nomad.records import entry_id
from lake.sources.nomad.settings import add_settings, xc_functional
from lake.sources.nomad.structure import add_structures
from lake.sources.nomad.view import View, stated, view
from lake.sources.values import flag


def normalise_calculations(batch: Batch, origin: str) -> None:
    """Fill the columns of `calculations` from entries or archives."""
    views = [view(record) for record in batch.records]
    add_structures(batch, views)
    functionals = add_settings(batch, views)
    add_properties(batch, views, functionals)
    batch.texts("material_id", [v.of_results("material", "material_id") for v in views])
    batch.set("collection", views, _datasets)
    groups = [v.of_results("material", "symmetry", "space_group_number") for v in views]
    batch.wholes("spacegroup_source", [group or None for group in groups])
    _add_provenance(batch, views, origin)


def normalise_densities(batch: Batch, origin: str) -> None:
    """Fill the columns of `dos` from archives that hold one."""
    views = [view(record) for record in batch.records]
    each_dos(batch, density_columns)
    batch.set("xc_functional", views, xc_functional)
    _add_provenance(batch, views, origin)


def _add_provenance(batch: Batch, views: Sequence[View], origin: str) -> None:
    gui = gui_url(origin)
    batch.set("source_url", [_page(gui, entry_id(record)) for record in batch.records])
    batch.set("database_version", [v.metadata.get("nomad_version") for v in views], stated)
    licences = batch.set("license", [v.metadata.get("license") for v in views], stated)
    embargoes = batch.cleaned("redistributable", [v.metadata.get("with_embargo") for v in views], flag)
    published = batch.cleaned("redistributable", [v.metadata.get("published") for v in views], flag)
    batch.set("redistributable", [
        may_pass_on(licence, embargo, public)
        for licence, embargo, public in zip(licences, embargoes, published, strict=True)
    ])


def may_pass_on(licence: str | None, embargo: bool | None, published: bool | None) -> bool | None:
    """Whether an entry may be passed on; null where nothing is said, then NOMAD's general terms hold."""
    if embargo or published is False:
        return False
    if licence is None:
        return None
    words = licence.upper().replace("-", " ").split()
    return words[0].startswith("CC") and not {"NC", "ND"} & set(words)


def gui_url(origin: str) -> str:
    """The GUI that belongs to the API that a reply came from; NOMAD's own for saved replies."""
    parts = urlsplit(origin) if origin.startswith(("http://", "https://")) else None
    if parts is None or "/api/" not in parts.path:
        return GUI_URL
    return f"{parts.scheme}://{parts.netloc}{parts.path[: parts.path.index('/api/')]}/gui"


def _page(gui: str, name: str | None) -> str | None:
    return f"{gui}/search/entries/entry/id/{quote(name, safe='')}" if name else None


def _datasets(found: View) -> str | None:
    names: list[Any] = [d.get("dataset_name") for d in sections(found.metadata.get("datasets"))]
    return "; ".join(sorted({name for n in names if (name := stated(n))})) or None
