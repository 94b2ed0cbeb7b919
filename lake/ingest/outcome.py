"""What became of some pages, before anything is committed."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pyarrow as pa

Place = tuple[str, bool]
"""A table, and whether its rows are derived from records that another row stands for."""


@dataclass
class Outcome:
    """What became of some pages: rows by table, rejects, and counts by page.

    Rows are kept apart by whether they are derived: the record itself is counted by its other row. ``cleared``
    holds the reject ids that records now taken would have.
    """

    rows: dict[Place, pa.Table] = field(default_factory=dict)
    rejects: pa.Table | None = None
    records: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    unchanged: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    cleared: list[str] = field(default_factory=list)

    def __add__(self, other: Outcome) -> Outcome:
        tables: dict[Place, list[pa.Table]] = defaultdict(list)
        for place, rows in (*self.rows.items(), *other.rows.items()):
            tables[place].append(rows)
        rejects = [t for t in (self.rejects, other.rejects) if t is not None]
        return Outcome(
            rows={place: pa.concat_tables(parts) for place, parts in tables.items()},
            rejects=pa.concat_tables(rejects) if rejects else None,
            records=self.records + other.records,
            rejected=self.rejected + other.rejected,
            reasons=self.reasons + other.reasons,
            unchanged=self.unchanged + other.unchanged,
            unreadable=self.unreadable | other.unreadable,
            cleared=self.cleared + other.cleared,
        )
