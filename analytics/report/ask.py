"""What the report asks of a lake: named queries only, with the filters written out for the captions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from analytics.report.redaction import Secrets
from lake.errors import TableError
from lake.store.lake import Lake

PAPER: Mapping[str, str] = {
    "functional": "pbe",
    "unknown_functional": "keep",
    "require_formation_energy": "true",
    "require_band_gap": "true",
    "include_deprecated": "false",
}
"""The filters of Speckhard et al., Faraday Discuss. 256, 483 (2025), as parameters of the queries."""

KEY_WORDS = {
    "cell_key": "formula of the cell + space group",
    "reduced_key": "reduced formula + space group",
}
"""What makes two rows the same material, for a person."""


@dataclass(frozen=True)
class Asker:
    """A lake at known table versions: all answers are of the same ones, whatever is written meanwhile."""

    connection: duckdb.DuckDBPyConnection
    versions: Mapping[str, int]
    secrets: Secrets

    @classmethod
    @contextmanager
    def of(cls, lake: Lake) -> Iterator[Asker]:
        """An asker of the lake as it is now."""
        for _ in range(50):
            versions = lake.versions()
            with lake.connect() as connection:
                # Somebody may have committed between the two reads: then the versions would not be those seen.
                if lake.versions() != versions:
                    continue
                yield cls(connection, versions, Secrets.of(lake.settings))
                return
        raise TableError(f"The lake {lake.root.uri} is written to without a pause: try again when an ingest is done.")

    def rows(self, query: str, **params: str) -> list[dict[str, Any]]:
        """The rows of a named query.

        Raises:
            QueryError: there is no such query, or a parameter is wrong.
        """
        from analytics.queries import run_on

        found: list[dict[str, Any]] = self.secrets.blotted(run_on(self.connection, query, params).to_pylist())
        return found

    def select(self, sql: str, **values: object) -> list[dict[str, Any]]:
        """The rows of a SELECT of this program's own; ``values`` are those of the `$name` in it."""
        found: list[dict[str, Any]] = self.secrets.blotted(
            self.connection.sql(sql, params=values or None).to_arrow_table().to_pylist())
        return found

    def made_from(self, *tables: str) -> tuple[str, ...]:
        """Tables with their versions, as in `calculations@12`; one never written to is left out."""
        return tuple(f"{name}@{self.versions[name]}" for name in tables if name in self.versions)


def filter_words(params: Mapping[str, str], of: str = "formation energy") -> str:
    """The filter parameters of a query as a sentence part.

    Args:
        params: parameters as in ``PAPER``.
        of: the quantity whose functional is meant.
    """
    functional = params["functional"]
    words = []
    if functional == "any":
        words.append("any functional")
    elif params["unknown_functional"] == "keep":
        words.append(f"{of} from {functional.upper()} or from an unknown functional")
    else:
        words.append(f"{of} from {functional.upper()}")
    present = [
        name for name, param in (("formation energy", "require_formation_energy"), ("band gap", "require_band_gap"))
        if params[param] == "true"
    ]
    if present:
        words.append(f"{' and '.join(present)} present")
    words.append("withdrawn records " + ("kept" if params["include_deprecated"] == "true" else "left out"))
    return "; ".join(words)
