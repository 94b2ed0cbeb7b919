"""The rows that a selection names, read through `sql/macros/training_rows.sql`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from lake.errors import InputError, QueryError
from lake.store.condition import canonical
from ml.data.target import FORMATION_ENERGY, Target

if TYPE_CHECKING:
    from ml.data.selection import Selection

COLUMNS = (
    "calculation_id", "source", "material_key", "reduced_key", "cell_key", "split", "formula_reduced", "elements",
    "n_sites", "spacegroup_number", FORMATION_ENERGY, "formation_energy_reference", "energy_functional",
    "gap_functional", "xc_functional", "hubbard_u_ev", "plus_u", "code", "cutoff_ev", "k_point_density_angstrom",
    "spin_polarized", "license", "redistributable", "lattice_vectors_angstrom", "fractional_positions",
    "species_at_sites",
)
CAUSES: Mapping[str, str] = {
    "without the target": "actual is null or not isfinite(actual)",
    "without a whole structure": "not usable_structure(lattice_vectors_angstrom, fractional_positions, "
                                 "species_at_sites)",
    "without the key that splits go by": "material_key is null",
}
"""Why a row cannot be used: in words, and as a condition."""


@dataclass(frozen=True)
class Asked:
    """A selection as SQL on a connection.

    Attributes:
        connection: shows the lake at the versions to read.
        relation: the rows that it names, with the target as `actual`.
        parameters: values of the `$name` in it.
        condition: what the person typed; None = nothing.
    """

    connection: duckdb.DuckDBPyConnection
    relation: str
    parameters: dict[str, Any]
    condition: str | None

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection, selection: Selection, target: Target) -> Asked:
        """Check condition and databases of a selection whose split is known, and spell it.

        Raises:
            QueryError: the condition is none.
            InputError: there is no such database.
        """
        condition = "true" if selection.where is None else canonical(connection, selection.where)
        _check_sources(connection, selection)
        level = target.column == FORMATION_ENERGY and selection.subset is not None
        column = f"level_{FORMATION_ENERGY}" if level else target.column
        train, validation, _ = selection.split or (None, None, None)
        parameters: dict[str, Any] = {
            "subset": selection.subset, "version": selection.version,
            # Who speaks of withdrawn rows decides on them.
            "withdrawn": "deprecated" in condition.lower(),
            "key_kind": selection.key_kind, "seed": selection.split_seed, "train": train, "validation": validation,
            "sources": list(selection.sources),
        }
        relation = (
            f'select *, "{column}" as actual from training_rows($subset::varchar, $version::integer, '  # noqa: S608
            "$withdrawn::boolean, $key_kind::varchar, $seed::bigint, $train::double, $validation::double) "
            f"as calculation_traits where coalesce(({condition}), false) "
            "and (len($sources::varchar[]) = 0 or list_contains($sources::varchar[], source))"
        )
        return cls(connection, relation, parameters, selection.where)

    def counts(self) -> tuple[int, dict[str, int]]:
        """How many rows there are, and how many cannot be used, each counted under its first cause.

        Raises:
            QueryError: the condition fails on a row.
        """
        whens = " ".join(f"when {condition} then {n}" for n, condition in enumerate(CAUSES.values()))
        try:
            found: dict[int | None, int] = dict(self.connection.execute(
                f"select case {whens} end as cause, count(*) from ({self.relation}) group by cause",  # noqa: S608
                self.parameters,
            ).fetchall())
        except duckdb.Error as error:
            raise QueryError(f"The condition {self.condition!r} fails on a calculation. {error}") from None
        return sum(found.values()), {why: found.get(n, 0) for n, why in enumerate(CAUSES)}

    def rows(self, causes: Sequence[str] = tuple(CAUSES)) -> pa.Table:
        """The rows that none of the causes keeps out: :data:`COLUMNS` and ``actual``, by calculation_id."""
        usable = " and ".join(f"not coalesce({CAUSES[why]}, false)" for why in causes)
        return self.connection.sql(
            f"select {', '.join(COLUMNS)}, actual from ({self.relation}) where {usable} "  # noqa: S608
            "order by calculation_id", params=self.parameters,
        ).to_arrow_table()


def _check_sources(connection: duckdb.DuckDBPyConnection, selection: Selection) -> None:
    if not selection.sources:
        return
    known = {row[0] for row in connection.execute("select distinct source from calculations").fetchall()}
    if missing := [source for source in selection.sources if source not in known]:
        raise InputError(
            f"The lake has no calculations of {', '.join(missing)}. Databases: {', '.join(sorted(known)) or 'none'}."
        )
