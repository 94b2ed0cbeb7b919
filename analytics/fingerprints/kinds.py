"""The grids of every kind, by the name that a user types, by id, or by their parameters."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from analytics.fingerprints.composition import COMPOSITION, CompositionGrid
from analytics.fingerprints.grid import PAPER, REFERENCE, DosGrid
from analytics.fingerprints.structure import STRUCTURE, StructureGrid
from lake.errors import InputError, TableError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from lake.store.lake import Lake


@runtime_checkable
class Grid(Protocol):
    """What a fingerprint is made on; one object per kind and set of parameters."""

    @property
    def kind(self) -> str:
        """What it describes: dos, composition or structure."""

    @property
    def grid_id(self) -> str:
        """The name under which the lake keeps it."""

    @property
    def n_counts(self) -> int:
        """Counts of a fingerprint."""

    @property
    def levels(self) -> int:
        """Largest value of a count."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that counts have in memory: uint8 up to 255 levels, uint16 above."""

    @property
    def description(self) -> str:
        """The grid in words."""

    def parameters(self) -> dict[str, Any]:
        """Everything that makes the grid again, ready for JSON."""


NAMED: dict[str, Grid] = {
    "reference": REFERENCE, "paper": PAPER, "composition": COMPOSITION, "structure": STRUCTURE,
}
"""The grids that have a name, by that name."""

_READERS: dict[str, Any] = {
    "dos": DosGrid.from_parameters, "composition": CompositionGrid.from_parameters,
    "structure": StructureGrid.from_parameters,
}


def find(grid: str | Mapping[str, Any] | Grid, lake: Lake | None = None) -> Grid:
    """The grid that is meant.

    Args:
        grid: a name (:data:`NAMED`), a grid_id, a .json or .toml file of parameters, the parameters themselves
            (those of a DOS grid that are left out have the reference's values), or a grid.
        lake: where other ids are looked up.

    Raises:
        InputError: there is no such grid (the message lists those there are), or its parameters are impossible.
    """
    if isinstance(grid, Mapping):
        return from_parameters(grid)
    if not isinstance(grid, str):
        return grid
    known = NAMED | {g.grid_id: g for g in NAMED.values()}
    if grid in known:
        return known[grid]
    if grid.endswith((".json", ".toml")):
        return from_file(Path(grid))
    stored = declared(lake) if lake is not None else {}
    if grid in stored:
        return from_parameters(stored[grid])
    listed = ", ".join([*known, *(name for name in stored if name not in known)])
    raise InputError(
        f"There is no grid {grid!r:.80}. Grids: {listed}; or the parameters of an own one, in a .json or .toml file."
    )


def chosen(names: Iterable[str], words: Iterable[str] = (), lake: Lake | None = None) -> list[Grid]:
    """The grids of what a user typed, each once.

    Args:
        names: names, ids and files as :func:`find` takes them, and ``all`` for every grid that has a name.
        words: parameters of an own DOS grid as :func:`from_words` takes them; with them, no names mean none other.
        lake: where other ids are looked up.

    Raises:
        InputError: there is no such grid, or its parameters are impossible.
    """
    grids = [from_words(words)] if (words := list(words)) else []
    for name in names:
        grids += list(NAMED.values()) if name == "all" else [find(name, lake)]
    return list({grid.grid_id: grid for grid in grids or [REFERENCE]}.values())


def from_parameters(parameters: Mapping[str, Any]) -> Grid:
    """The grid of some parameters; without a ``kind`` they are those of a DOS grid.

    Raises:
        InputError: no such kind, or the parameters are impossible.
    """
    kind = parameters.get("kind", "dos")
    if kind not in _READERS:
        raise InputError(f"Grid: kind is {kind!r:.40}, one of {', '.join(_READERS)} is needed.")
    found: Grid = _READERS[kind](parameters)
    return found


def from_file(path: Path) -> Grid:
    """The grid whose parameters a .json or .toml file holds.

    Raises:
        InputError: it cannot be read, holds no table of parameters, or they are impossible.
    """
    try:
        text = path.read_text("utf-8")
        parameters = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise InputError(f"The grid file {path} cannot be read: {error}") from None
    if not isinstance(parameters, dict):
        raise InputError(f"The grid file {path} holds no parameters by name, such as {{\"window_max_ev\": 8}}.")
    return from_parameters(parameters)


def from_words(words: Iterable[str]) -> Grid:
    """The DOS grid of words such as ``window_max_ev=8``; what is left out has the reference's value.

    Raises:
        InputError: a word is not of that form, or a parameter is unknown or impossible.
    """
    parameters: dict[str, Any] = {}
    for word in words:
        name, given, value = word.partition("=")
        try:
            parameters[name.strip()] = int(value) if value.strip().lstrip("+-").isdigit() else float(value)
        except ValueError:
            given = ""
        if not given:
            raise InputError(f"Grid parameter {word!r:.80}: give it as name=number, such as window_max_ev=8.")
    return from_parameters(parameters)


def declared(lake: Lake) -> dict[str, dict[str, Any]]:
    """The parameters of every grid that the lake has fingerprints on, by grid_id."""
    found = lake.read("grids", ["grid_id", "parameters_json"])
    return {row["grid_id"]: json.loads(row["parameters_json"]) for row in found.to_pylist()}


def row_of(grid: Grid) -> pa.Table:
    """The grid as a row of the table `grids`."""
    import pyarrow as pa

    from lake.tables import TABLES

    return pa.Table.from_pylist([{
        "grid_id": grid.grid_id, "kind": grid.kind, "description": grid.description,
        "parameters_json": json.dumps(grid.parameters(), sort_keys=True), "n_counts": grid.n_counts,
        "levels": grid.levels,
    }], schema=TABLES["grids"].schema)


def check_same(*grid_ids: str) -> str:
    """The one grid that all the given ids name; call it wherever fingerprints of two origins meet.

    Raises:
        TableError: they are of different grids.
    """
    different = sorted(set(grid_ids))
    if len(different) != 1:
        raise TableError(
            f"Fingerprints of the grids {', '.join(different) or '(none)'} were to be compared: only those of one "
            "grid can be. Make all of them on one: matlake fingerprint --grid NAME."
        )
    return different[0]
