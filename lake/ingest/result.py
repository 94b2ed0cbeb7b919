"""What an ingest reports: while it runs, and when it is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from lake.errors import IncompleteError
from lake.store.delta import Change


@dataclass(frozen=True)
class Progress:
    """How far an ingest is. ``records_expected`` is None where nobody can know."""

    source: str
    pages: int
    records: int
    committed: int
    records_expected: int | None = None


ProgressFunction = Callable[[Progress], None]


@dataclass
class IngestResult:
    """The counts of one ingest, in records.

    ``new + changed + unchanged + rejected`` is ``fetched``. ``tables`` holds the row changes of every table
    that was written to; ``missing`` names what could not be fetched or read.
    """

    source: str
    pages: int = 0
    fetched: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    resumed_pages: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    tables: dict[str, Change] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def taken(self) -> int:
        """Records that are now rows and were not before: new and changed ones."""
        return self.new + self.changed

    @property
    def balanced(self) -> bool:
        """Whether every fetched record is accounted for: taken, unchanged or rejected."""
        return self.fetched == self.taken + self.unchanged + self.rejected

    def add_rows(self, table: str, change: Change) -> None:
        """Count the rows that a commit changed in a table."""
        self.tables[table] = self.tables.get(table, Change()) + change


class IncompleteIngestError(IncompleteError):
    """An ingest that took what it could and misses something; ``result`` says what it took."""

    def __init__(self, result: IngestResult) -> None:
        self.result = result
        named = "\n".join(f"  - {item}" for item in result.missing[:20])
        more = len(result.missing) - 20
        tail = f"\n  … and {more} more (in the table fetches, status failed)" if more > 0 else ""
        super().__init__(
            f"Ingest of {result.source} is incomplete: {result.fetched:,} records were read, but "
            f"{len(result.missing)} requests or files failed:\n{named}{tail}\n"
            "Run the same command again: it fetches only what is missing."
        )
