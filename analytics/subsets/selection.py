"""The rows of the lake on their way through the funnel: which step each of them was left out at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from analytics.subsets.steps import Step
from lake.errors import QueryError

if TYPE_CHECKING:
    from analytics.subsets.recipe import Recipe

KEPT_COLUMNS = (
    "formula_reduced", "formation_energy_ev_per_atom", "band_gap_ev", "hubbard_u_ev", "plus_u", "energy_functional",
    "gap_functional", "xc_functional", "code", "basis_set", "cutoff_ev", "n_basis_functions", "n_sites",
    "k_point_density_angstrom", "spin_polarized", "core_treatment", "relativity", "settings_tier",
)
"""What later steps look at; structures and provenance stay where they are."""


class Selection:
    """All rows of a lake, and for those left out the number of the step that did it.

    Lives in the tables `judged` (every row: calculation_id, source, material_key, reduced_key, energy, gap, left_at)
    and `kept` (those that are still in, with their settings as well) of a connection.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, recipe: Recipe, steps: list[Step]) -> None:
        self.connection = connection
        self.recipe = recipe
        self.steps = list(steps)
        whens = " ".join(f"when not coalesce({s.sql}, false) then {n}" for n, s in enumerate(steps, 1))
        self._run(
            "create temp table judged as select calculation_id, source, "  # noqa: S608
            f"{recipe.key_kind} as material_key, reduced_key, formation_energy_ev_per_atom, band_gap_ev, "
            f"cast(case {whens} end as integer) as left_at "
            "from calculation_traits",
            steps,
        )
        columns = ", ".join(f"t.{name}" for name in KEPT_COLUMNS)
        self.connection.execute(
            "create temp table kept as select j.calculation_id, j.source, j.material_key, j.reduced_key, "  # noqa: S608
            f"{columns} from judged as j join calculation_traits as t using (calculation_id) where j.left_at is null"
        )

    def narrow(self, step: Step, leaving: str | None = None) -> None:
        """Add a step: by its SQL, or by a query for the calculation_id of what it leaves out."""
        self.steps.append(step)
        number = len(self.steps)
        if step.sql is not None:
            self._run(
                f"update judged set left_at = {number} where left_at is null and calculation_id not in "  # noqa: S608
                f"(select calculation_id from kept where coalesce({step.sql}, false))", [step],
            )
        elif leaving is not None:
            self.connection.execute(
                f"update judged set left_at = {number} where left_at is null and calculation_id in ({leaving})"  # noqa: S608
            )
        self.connection.execute(
            f"delete from kept where calculation_id in (select calculation_id from judged where left_at = {number})"  # noqa: S608
        )

    def rows(self, sql: str) -> pa.Table:
        """What a query answers, as Arrow."""
        return self.connection.sql(sql).to_arrow_table()

    def register(self, name: str, columns: dict[str, list[Any]]) -> None:
        """Make a table of a connection from columns."""
        self.connection.register("given", pa.table(columns, schema=_schema(columns)))
        self.connection.execute(f'create or replace temp table "{name}" as from given')
        self.connection.unregister("given")

    @property
    def n_kept(self) -> int:
        """Rows that are still in."""
        return int(self.connection.execute("select count(*) from kept").fetchall()[0][0])

    def _run(self, sql: str, steps: list[Step]) -> None:
        try:
            self.connection.execute(sql)
        except duckdb.Error as error:
            raise QueryError(self._culprit(steps, error)) from None

    def _culprit(self, steps: list[Step], error: duckdb.Error) -> str:
        """Which step it was that failed on the rows which the ones before it leave."""
        sofar = "true"
        for step in steps:
            sofar = f"case when {sofar} then coalesce({step.sql}, false) else false end"
            try:
                self.connection.execute(f"select count(*) from calculation_traits where {sofar}")  # noqa: S608
            except duckdb.Error as found:
                return f"Step {step.name} ({step.sentence}) failed. {found}"
        return f"The rules failed. {error}"


def _schema(columns: dict[str, list[Any]]) -> pa.Schema:
    def kind(values: list[Any]) -> pa.DataType:
        return pa.float64() if any(isinstance(v, float) for v in values) else pa.string()

    return pa.schema([(name, kind(values)) for name, values in columns.items()])
