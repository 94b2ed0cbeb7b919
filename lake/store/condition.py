"""SQL conditions that a person types: each must be one expression over a row, and mean the same every time.

DuckDB itself parses the text; what is let through is decided on the parsed expression, and what is run is that
expression spelled out again. So nothing can hide in quotes, comments or brackets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from lake.errors import QueryError

RELATION = "calculation_traits"
SKELETON = f"select 1 from {RELATION} where ("  # noqa: S608
ALLOWED = {
    "COLUMN_REF", "CONSTANT", "COMPARISON", "CONJUNCTION", "OPERATOR", "FUNCTION", "CASE", "CAST", "BETWEEN",
    "LAMBDA", "TYPE",
}
REFUSED = {
    "SUBQUERY": "holds a query of its own; a rule looks at one row",
    "WINDOW": "looks at other rows (over …); a rule looks at one row",
    "STAR": "stands for several columns; name one",
    "PARAMETER": "has a parameter; write the value itself",
    "POSITIONAL_REFERENCE": "names a column by its place; write its name",
    "COLLATE": "sets a collation; use lower(…)",
}
NOT_REPEATABLE = {
    "current_localtime", "current_localtimestamp",  # marked as consistent, and clocks all the same
    "version", "hash", "stats", "alias", "index_key", "combine", "finalize", "to_aggregate_state",
}
LIST_AGGREGATES = {"list_aggr", "list_aggregate", "array_aggr", "array_aggregate", "aggregate"}
REPEATABLE_AGGREGATES = {
    "sum", "min", "max", "avg", "count", "median", "mode", "bool_and", "bool_or", "mad", "product", "first", "last",
    "any_value", "stddev_samp", "stddev_pop", "var_samp", "var_pop", "string_agg",
}


@dataclass(frozen=True)
class Functions:
    """What a connection's functions do: ``repeatable`` ones, macros with their bodies, and all others."""

    repeatable: frozenset[str]
    macros: dict[str, tuple[str, ...]]
    kinds: dict[str, str]

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection) -> Functions:
        """Read them from DuckDB's own list."""
        rows = connection.execute(
            "select function_name, function_type, coalesce(stability, ''), coalesce(macro_definition, '') "
            "from duckdb_functions()"
        ).fetchall()
        scalar = {name for name, kind, _, _ in rows if kind == "scalar"}
        unstable = {name for name, kind, stability, _ in rows if kind == "scalar" and stability != "CONSISTENT"}
        macros: dict[str, tuple[str, ...]] = {}
        for name, kind, _, body in rows:
            if kind == "macro":
                macros[name] = (*macros.get(name, ()), body)
        internal = {name for name in scalar if name.startswith("__")}
        return cls(
            frozenset(scalar - unstable - internal - NOT_REPEATABLE), macros,
            {name: kind for name, kind, _, _ in rows} | dict.fromkeys(scalar, "scalar"),
        )


def canonical(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    """A condition as DuckDB spells it, once it is sure that it only looks at one row of `calculation_traits`.

    Args:
        connection: one that has that view.
        text: what the person typed.

    Raises:
        QueryError: it is no condition, does something else, or might mean something else tomorrow; the message
            shows the text and DuckDB's words.
    """
    columns = {row[0].lower() for row in connection.execute(f"describe {RELATION}").fetchall()}
    expression = _parsed(connection, text)
    check = _Check(text, columns, Functions.of(connection))
    check.walk(connection, expression, frozenset())
    spelled = _spelled(connection, expression)
    try:
        kind = connection.execute(f"describe {SKELETON}{spelled})".replace("select 1", f"select ({spelled})", 1))
        found = str(kind.fetchall()[0][1])
    except duckdb.Error as error:
        raise QueryError(f"The rule {text!r} cannot be used. {error}") from None
    if found != "BOOLEAN":
        raise QueryError(f"The rule {text!r} is no condition: its value is of type {found}. Compare it with something.")
    return spelled


def _parsed(connection: duckdb.DuckDBPyConnection, text: str) -> dict[str, Any]:
    """The expression, if the text is one and nothing but one."""
    tree = _serialized(connection, text)
    # A text that closes the bracket and goes on would change more than the condition.
    plain = _serialized(connection, "true")
    condition = tree["statements"][0]["node"].get("where_clause") if len(tree.get("statements", ())) == 1 else None
    if condition is None or _without_condition(tree) != _without_condition(plain):
        raise QueryError(f"The rule {text!r} is more than one condition, such as: xc_functional = 'pbe'.")
    return dict(condition)


def _serialized(connection: duckdb.DuckDBPyConnection, text: str) -> dict[str, Any]:
    try:
        # The line break ends a comment that the text may end with.
        rows = connection.execute("select json_serialize_sql(?)", [f"{SKELETON}{text}\n)"]).fetchall()
    except duckdb.Error as error:
        raise QueryError(f"The rule {text!r} cannot be read. {error}") from None
    tree = json.loads(rows[0][0])
    if tree.get("error"):
        raise QueryError(
            f"The rule {text!r} is no condition that DuckDB understands: {tree.get('error_message')}. "
            "Write it like what stands after WHERE."
        )
    return dict(tree)


def _without_condition(tree: dict[str, Any]) -> Any:
    copy = json.loads(json.dumps(tree))
    copy["statements"][0]["node"]["where_clause"] = None
    return _without_places(copy)


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_places(v) for k, v in value.items() if not k.startswith("query_location")}
    return [_without_places(v) for v in value] if isinstance(value, list) else value


def _spelled(connection: duckdb.DuckDBPyConnection, expression: dict[str, Any]) -> str:
    tree = _serialized(connection, "true")
    tree["statements"][0]["node"]["where_clause"] = expression
    rows = connection.execute("select json_deserialize_sql(?::json)", [json.dumps(tree)]).fetchall()
    _, _, condition = str(rows[0][0]).partition(" WHERE ")
    return condition.strip()


@dataclass(frozen=True)
class _Check:
    text: str
    columns: set[str]
    functions: Functions

    def walk(self, connection: duckdb.DuckDBPyConnection, node: dict[str, Any], local: frozenset[str]) -> None:
        """Refuse the first thing that must not be in a rule; ``local`` are the names of lambda parameters."""
        kind = node["class"]
        if kind not in ALLOWED:
            self.refuse(REFUSED.get(kind, f"holds a {kind.lower().replace('_', ' ')}, which a rule cannot"))
        if kind == "COLUMN_REF":
            self.column(node["column_names"], local)
        if kind == "FUNCTION":
            self.function(connection, node)
        if kind == "LAMBDA":
            local = local | set(_parameters(node))
        for child in _children(node):
            self.walk(connection, child, local)

    def column(self, names: list[str], local: frozenset[str]) -> None:
        # DuckDB would read a name that is no column as a function of that name: current_date, user, …
        first = names[0].lower()
        if first in local or first in self.columns:
            return
        if first == RELATION and len(names) > 1 and names[1].lower() in self.columns:
            return
        self.refuse(f"names {'.'.join(names)!r:.80}, which is no column of {RELATION}")

    def function(self, connection: duckdb.DuckDBPyConnection, node: dict[str, Any]) -> None:
        name = node["function_name"].lower()
        arguments = [child for child in _children(node) if child["class"] != "LAMBDA"]
        if name == "age" and len(arguments) < 2:
            self.refuse("uses age(…) of one argument, which depends on the day; give two")
        if name in LIST_AGGREGATES:
            how = arguments[1].get("literal", {}).get("text") if len(arguments) > 1 else None
            if how not in REPEATABLE_AGGREGATES:
                self.refuse(f"uses {name} with {how!r:.40}; one of {', '.join(sorted(REPEATABLE_AGGREGATES))}")
        if name in self.functions.repeatable:
            return
        if name in self.functions.macros:
            for body in self.functions.macros[name]:
                self.macro(connection, name, body)
            return
        if self.functions.kinds.get(name) == "scalar":
            self.refuse(f"uses {name}(…), which need not give the same another time: the members could change")
        if name in self.functions.kinds:
            self.refuse(f"uses {name}(…), which is no function of one row")
        self.refuse(f"uses {name!r:.80}, and there is no such function")

    def macro(self, connection: duckdb.DuckDBPyConnection, name: str, body: str) -> None:
        """A macro is let through if what it stands for would be; its own parameters are columns there."""
        inner = _Check(self.text, _AnyColumn(), self.functions)
        if any(word in body.lower() for word in ("current_", "session_user", "select ")) or name == "user":
            self.refuse(f"uses {name}(…), which looks at more than the row")
        try:
            expression = _parsed(connection, body)
        except QueryError:
            self.refuse(f"uses {name}(…), which cannot be looked into")
        calls = {n["function_name"].lower() for n in _all(expression) if n["class"] == "FUNCTION"}
        if name in calls:
            self.refuse(f"uses {name}(…), which calls itself")
        inner.walk(connection, expression, frozenset())

    def refuse(self, why: str) -> None:
        raise QueryError(f"The rule {self.text!r} {why}.")


class _AnyColumn(set[str]):
    def __contains__(self, _: object) -> bool:
        return True


def _children(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The expressions right below one, wherever DuckDB keeps them."""
    for value in node.values():
        yield from _expressions(value)


def _expressions(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "class" in value and "type" in value:
            yield value
        else:
            for inner in value.values():
                yield from _expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _expressions(inner)


def _all(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in _children(node):
        yield from _all(child)


def _parameters(node: dict[str, Any]) -> Iterator[str]:
    for found in _all(node.get("lhs") or {"class": "", "type": ""}):
        if found["class"] == "COLUMN_REF":
            yield from (name.lower() for name in found["column_names"])
    yield from (name.lower() for name in node.get("named_parameters") or ())
