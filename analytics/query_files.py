"""The queries of `sql/queries`: their text, and what the comment at their head declares.

A head is the comment lines before the SQL. Most is prose; four forms are read::

    -- param NAME TYPE = DEFAULT [choice|choice] : meaning     (default and choices may be left out)
    -- column NAME : meaning, with the unit
    -- step MODULE        what `MODULE.complete(table, parameters)` makes of the rows is the answer
    -- uses QUERY         that query runs before, and this one reads its answer as a table of that name

A line that is indented by five blanks or more goes on with the one before. A choice ``column:RELATION`` stands for
every column of a table or view.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lake.errors import QueryError

PARAM = re.compile(
    r"param (?P<name>\w+) (?P<type>varchar|integer|double|boolean)"
    r"(?: = (?P<default>'[^']*'|[^\s\[:]+))?(?: \[(?P<choices>[^\]]+)\])? *: *(?P<meaning>.+)"
)
COLUMN = re.compile(r"column (?P<name>\w+) : (?P<meaning>.+)")
STEP = re.compile(r"step (?P<module>[\w.]+)")
USES = re.compile(r"uses (?P<query>\w+)")

Value = str | int | float | bool


@dataclass(frozen=True)
class Parameter:
    """A parameter of a query: `$name` in its text."""

    name: str
    type: str
    default: Value | None
    choices: tuple[str, ...]
    meaning: str

    def read(self, text: str) -> Value:
        """The value that a text states.

        Raises:
            QueryError: it is not of the parameter's type.
        """
        try:
            return READERS[self.type](text.strip())
        except (ValueError, KeyError):
            raise QueryError(f"Parameter {self.name}: {text!r:.80} is no {self.type}. {self.meaning}.") from None

    def __str__(self) -> str:
        default = "needed" if self.default is None else f"default {_spell(self.default)}"
        choices = f"; one of {', '.join(self.choices)}" if self.choices else ""
        return f"{self.name} ({self.type}, {default}{choices}): {self.meaning}"


@dataclass(frozen=True)
class Query:
    """A named query: its text, and what its head says."""

    name: str
    text: str
    question: str
    prose: str
    parameters: Mapping[str, Parameter]
    columns: Mapping[str, str]
    step: str | None
    uses: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"{self.name}: {self.question}"]
        if self.prose:
            parts.append(self.prose)
        if self.parameters:
            parts.append("Parameters:\n" + "\n".join(f"  {p}" for p in self.parameters.values()))
        parts.append("Columns:\n" + "\n".join(f"  {name}: {text}" for name, text in self.columns.items()))
        return "\n\n".join(parts)


def texts(folder: str) -> dict[str, str]:
    """The .sql files of a folder of `sql/`, text by name, alphabetical."""
    found = (path for path in files("sql").joinpath(folder).iterdir() if path.name.endswith(".sql"))
    return {p.name.removesuffix(".sql"): p.read_text("utf-8") for p in sorted(found, key=lambda p: p.name)}


@cache
def queries() -> dict[str, Query]:
    """All named queries, by name."""
    return {name: parse(name, text) for name, text in texts("queries").items()}


def parse(name: str, text: str) -> Query:
    """Read the head of a query's text.

    Raises:
        QueryError: a line starts as one of the four forms and is none.
    """
    prose: list[str] = []
    parameters: dict[str, Parameter] = {}
    columns: dict[str, str] = {}
    step: str | None = None
    uses: list[str] = []
    for line in _head(text):
        if match := PARAM.fullmatch(line):
            parameters[match["name"]] = _parameter(match)
        elif match := COLUMN.fullmatch(line):
            columns[match["name"]] = match["meaning"]
        elif match := STEP.fullmatch(line):
            step = match["module"]
        elif match := USES.fullmatch(line):
            uses.append(match["query"])
        elif line.startswith(("param ", "column ")):
            raise QueryError(f"sql/queries/{name}.sql: {line!r} does not read as NAME … : meaning.")
        else:
            prose.append(line)
    question, _, rest = "\n".join(prose).strip().partition("\n")
    return Query(name, text, question, re.sub(r"\n{3,}", "\n\n", rest).strip(), parameters, columns, step,
                 tuple(uses))


def _head(text: str) -> list[str]:
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        content = line.removeprefix("--")
        if content.startswith("     ") and lines:
            lines[-1] += " " + content.strip()
        else:
            lines.append(content.strip())
    return lines


def _parameter(match: re.Match[str]) -> Parameter:
    bare = Parameter(match["name"], match["type"], None, (), match["meaning"])
    default = match["default"]
    choices = tuple(match["choices"].split("|")) if match["choices"] else ()
    value = None if default is None else bare.read(default.strip("'"))
    return Parameter(bare.name, bare.type, value, choices, bare.meaning)


def _spell(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise ValueError(text)
    return value


READERS: dict[str, Callable[[str], Value]] = {
    "varchar": str,
    "integer": int,
    "double": _finite,
    "boolean": {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}.__getitem__,
}
