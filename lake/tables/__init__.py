"""The tables that the lake holds, by name."""

from __future__ import annotations

from lake.tables.calculations import CALCULATIONS
from lake.tables.dos import DOS
from lake.tables.ledger import FETCHES, REJECTS
from lake.tables.spec import Column, Table

TABLES: dict[str, Table] = {t.name: t for t in (CALCULATIONS, DOS, FETCHES, REJECTS)}

__all__ = ["CALCULATIONS", "DOS", "FETCHES", "REJECTS", "TABLES", "Column", "Table"]
