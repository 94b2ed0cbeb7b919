"""What a build of fingerprints did, in words and as a table: for the command and for the flow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from analytics.fingerprints.build import BuildResult

SCHEMA = pa.schema([
    ("grid_id", pa.string()), ("kind", pa.string()), ("n_calculations", pa.int64()), ("new", pa.int64()),
    ("changed", pa.int64()), ("unchanged", pa.int64()), ("comparable", pa.int64()), ("set_aside", pa.int64()),
    ("reasons", pa.map_(pa.string(), pa.int64())), ("seconds", pa.float64()),
])
INPUTS = {"dos": "densities of states", "composition": "calculations", "structure": "calculations"}


def counts_of(result: BuildResult) -> dict[str, Any]:
    """The counts; n_calculations = new + changed + unchanged = comparable + set_aside."""
    return {
        "grid_id": result.grid_id, "kind": result.kind, "n_calculations": result.considered, "new": result.new,
        "changed": result.changed, "unchanged": result.unchanged, "comparable": result.comparable,
        "set_aside": result.set_aside.total(), "reasons": dict(result.set_aside),
        "seconds": round(result.seconds, 2),
    }


def as_table(results: Sequence[BuildResult]) -> pa.Table:
    """One row per grid."""
    rows = [counts_of(result) for result in results]
    return pa.Table.from_pylist([row | {"reasons": list(row["reasons"].items())} for row in rows], schema=SCHEMA)


def lines(result: BuildResult) -> Iterator[str]:
    """The counts of one grid as a line that adds up, and a line per reason."""
    what = INPUTS[result.kind]
    if not result.considered:
        yield f"{result.grid_id}: no {what} to make fingerprints of; matlake ingest takes them into the lake"
        return
    yield (
        f"{result.grid_id}: {result.considered:,} {what} = {result.new:,} new + {result.changed:,} changed + "
        f"{result.unchanged:,} unchanged = {result.comparable:,} comparable + {result.set_aside.total():,} set aside   "
        f"({result.seconds:.1f} s)"
    )
    for reason, count in result.set_aside.most_common():
        yield f"  set aside {count:,}: {reason}"
