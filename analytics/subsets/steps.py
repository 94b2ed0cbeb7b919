"""The rules of a recipe that look at one row, in the order of the funnel, as SQL and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lake.errors import InputError
from lake.store.condition import canonical

if TYPE_CHECKING:
    import duckdb

    from analytics.subsets.recipe import Recipe

TITLES = {"pbe": "PBE", "lda": "LDA", "pbesol": "PBEsol", "r2scan": "r2SCAN", "scan": "SCAN", "hse06": "HSE06"}
OF = {
    "energy": "the functional of the formation energy", "gap": "the functional of the band gap",
    "both": "the functional of formation energy and band gap",
}


@dataclass(frozen=True)
class Step:
    """One step of the funnel: a row for which ``sql`` is not true is left out.

    Attributes:
        name: short name, such as ``functional``.
        sentence: what it keeps, in words.
        sql: a condition over `calculation_traits`; None where it looks at more than one row.
        otherwise: what a row is that it leaves out.
        phrase: its part in the sentence about the whole; empty = it goes without saying.
    """

    name: str
    sentence: str
    sql: str | None
    otherwise: str
    phrase: str = ""


def row_steps(
    connection: duckdb.DuckDBPyConnection, blank: duckdb.DuckDBPyConnection, recipe: Recipe
) -> list[Step]:
    """The steps that look at one row, in order; the person's own rules come last.

    Args:
        connection: shows the lake.
        blank: has the same tables and views without rows: checking a rule there opens no file.
        recipe: what is asked.

    Raises:
        QueryError: a rule is no condition over one row, or need not mean the same another time.
        InputError: a column or source is not there.
    """
    steps = [Step("identified", f"the material is known ({recipe.key_kind})", _known(recipe), "of no known material")]
    if not recipe.deprecated:
        steps.append(Step(
            "not_deprecated", "the source has not withdrawn it", "deprecated is not true", "withdrawn by its source"
        ))
    if recipe.sources:
        steps.append(_sources(connection, recipe.sources))
    if recipe.functional is not None:
        steps.append(_functional(recipe))
    if recipe.hubbard_u == "none":
        steps.append(_no_plus_u(recipe))
    steps += [_complete(blank, column) for column in recipe.complete]
    for number, text in enumerate(recipe.where, 1):
        sql = canonical(blank, text)
        steps.append(Step(f"where_{number}", f"the rule {text} holds", sql, f"{text} is false or null", f"with {text}"))
    return steps


def predicate_of(steps: list[Step]) -> str:
    """All of them as one condition over `calculation_traits` that is true or false, never null."""
    return "\nand ".join(f"coalesce({step.sql}, false)" for step in steps if step.sql is not None)


def text_literal(value: str) -> str:
    """A text as it stands in SQL."""
    return "'" + value.replace("'", "''") + "'"


def functional_columns(recipe: Recipe) -> tuple[str, ...]:
    """The columns of `calculation_traits` that tell the functional which the recipe means."""
    both = ("energy_functional", "gap_functional")
    return {"energy": both[:1], "gap": both[1:], "both": both}[recipe.functional_of]


def _known(recipe: Recipe) -> str:
    # Splits go by the reduced key, whatever the members are counted by.
    return " and ".join(f"{key} is not null" for key in sorted({recipe.key_kind, "reduced_key"}))


def _sources(connection: duckdb.DuckDBPyConnection, sources: tuple[str, ...]) -> Step:
    there = [row[0] for row in connection.execute("select distinct source from calculations order by 1").fetchall()]
    for source in sources:
        if source not in there:
            raise InputError(f"There are no calculations of {source!r:.80}. Sources: {', '.join(there) or 'none'}.")
    listed = ", ".join(sources)
    sql = f"source in ({', '.join(map(text_literal, sources))})"
    return Step("source", f"it is of {listed}", sql, "of another source", f"of {listed}")


def _functional(recipe: Recipe) -> Step:
    wanted = str(recipe.functional).lower()
    title = TITLES.get(wanted, wanted)
    keep = recipe.unknown_functional == "keep"
    rules = [
        f"({column} is null or {column} = {text_literal(wanted)})" if keep else f"{column} = {text_literal(wanted)}"
        for column in functional_columns(recipe)
    ]
    unknown = "or unknown" if keep else "and known"
    return Step(
        "functional", f"{OF[recipe.functional_of]} is {title}, {unknown}", " and ".join(rules),
        f"of another functional than {title}" if keep else f"of another functional than {title}, or of an unknown one",
        f"{title} (or unknown functional)" if keep else title,
    )


def _no_plus_u(recipe: Recipe) -> Step:
    if recipe.unknown_hubbard_u == "keep":
        return Step("hubbard_u", "without +U, or unknown", "plus_u is null or plus_u = 'none'", "with +U",
                    "without +U if known")
    return Step("hubbard_u", "without +U, and known to be", "plus_u = 'none'", "with +U, or not known to be without",
                "without +U")


def _complete(blank: duckdb.DuckDBPyConnection, column: str) -> Step:
    from difflib import get_close_matches

    columns = [row[0] for row in blank.execute("describe calculation_traits").fetchall()]
    if column not in columns:
        close = get_close_matches(column, columns, n=3)
        hint = f" Are meant: {', '.join(close)}?" if close else f" Columns: {', '.join(columns)}."
        raise InputError(f"complete: there is no column {column!r:.80}.{hint}")
    quoted = '"' + column.replace('"', '""') + '"'
    return Step(
        f"has_{column}", f"{column} has a value", f"{quoted} is not null", f"without {column}", f"with {column}"
    )
