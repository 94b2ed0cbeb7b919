"""Rows to learn from, with target and split, read from the lake at versions that are written down."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import InputError
from lake.store.pinned import connection_at, versions_of
from ml.data.checks import check_rows, check_splits, reference_of, warnings_of
from ml.data.read import Asked
from ml.data.selection import DEFAULT_SPLIT, Selection
from ml.data.structures import structure_digests
from ml.data.target import Target, target_of

if TYPE_CHECKING:
    from lake.store.lake import Lake

DIGESTED = (
    "calculation_id", "material_key", "split", "actual", "structure_sha256", "source", "energy_functional",
    "gap_functional", "xc_functional", "plus_u", "code", "cutoff_ev", "k_point_density_angstrom", "spin_polarized",
)
"""What decides what a model learns: rows, splits, targets, structures, and settings, which may be inputs."""
TABLES = ("calculations", "subsets", "subset_members")
ROWS_AT_ONCE = 50_000


@dataclass(frozen=True)
class Dataset:
    """Rows with target and split.

    Attributes:
        rows: one per calculation, by calculation_id: :data:`ml.data.read.COLUMNS`, ``actual`` (the
            target, in its unit, never null or NaN) and ``structure_sha256`` (the same for the same crystal).
        target: what ``actual`` is.
        selection: what was asked, with the subset's version and the shares of the split filled in.
        table_versions: table → version that was read; -1 = nothing had been written to it.
        sha256: digest of rows, splits, targets, structures and settings.
        left_out: how many rows of the selection cannot be used, by reason.
        warnings: what a person should know about the rows.
    """

    rows: pa.Table
    target: Target
    selection: Selection
    table_versions: dict[str, int]
    sha256: str
    left_out: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """The databases of the rows, alphabetical."""
        return tuple(sorted(pc.unique(self.rows["source"]).to_pylist()))

    @property
    def actual(self) -> npt.NDArray[np.float64]:
        """The target of every row, in its unit."""
        return np.asarray(self.rows["actual"].to_numpy(), dtype=np.float64)

    def places(self, split: str) -> npt.NDArray[np.int64]:
        """The places of the rows of one split, ascending."""
        return np.flatnonzero(pc.equal(self.rows["split"], split).to_numpy()).astype(np.int64)

    def only(
        self, *, sources: Sequence[str] | None = None, mask: npt.NDArray[np.bool_] | None = None
    ) -> Dataset:
        """Some of the rows: those of some databases, or where a mask is true; every row keeps its split.

        Raises:
            InputError: no row is left.
        """
        keep = np.ones(self.rows.num_rows, dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
        if sources is not None:
            keep = keep & pc.is_in(self.rows["source"], pa.array(list(sources), pa.string())).to_numpy()
        rows = self.rows.filter(pa.array(keep))
        if rows.num_rows == 0:
            of = f" of {' and '.join(sources)}" if sources else ""
            raise InputError(f"None of the {self.rows.num_rows:,} calculations ({self.selection}) is left{of}.")
        selection = self.selection
        if sources is not None:
            selection = replace(selection, sources=tuple(sources))
        reference = self.target.reference or reference_of(rows, self.target, None, mixed_allowed=True)
        target = replace(self.target, reference=reference)
        return replace(self, rows=rows, selection=selection, target=target, sha256=digest_of(rows, target),
                       warnings=warnings_of(rows, target))

    def with_targets(self, values: npt.NDArray[np.float64], reference: str | None = None) -> Dataset:
        """The same rows with other target values.

        Args:
            values: one per row, in the unit of the target.
            reference: what they refer to now; None = what the target said before.

        Raises:
            InputError: not one finite number per row.
        """
        values = np.asarray(values, dtype=np.float64)
        if values.shape != (self.rows.num_rows,) or not np.isfinite(values).all():
            raise InputError(f"{self.rows.num_rows:,} finite values of {self.target.column} are needed, one per row.")
        place = self.rows.schema.get_field_index("actual")
        rows = self.rows.set_column(place, "actual", pa.array(values))
        target = replace(self.target, reference=reference or self.target.reference)
        return replace(self, rows=rows, target=target, sha256=digest_of(rows, target))

    def check(self) -> None:
        """Refuse what cannot be trained on.

        Raises:
            InputError: all rows are of one material, or a split is empty.
        """
        check_splits(self.rows, self.selection)


def dataset(lake: Lake, selection: Selection) -> Dataset:
    """The rows that a selection names, ready to learn from.

    A subset is read at the table versions that it is pinned to, so the same version gives the same rows for ever.
    Rows without target, structure or key are left out and counted.

    Raises:
        InputError: no such target, subset or database; nothing to learn from; all rows of one material; an empty
            split; a target against several references that was not asked for.
        QueryError: the condition is none, or fails.
        TableError: a version that the subset is pinned to is not there any more.
    """
    target = target_of(selection.target)
    selection, subset, versions = resolved(lake, selection)
    with connection_at(lake, versions) as connection:
        asked = Asked.of(connection, selection, target)
        n_selected, left_out = asked.counts()
        check_rows(n_selected, left_out, n_selected - sum(left_out.values()), target, selection)
        rows = asked.rows()
    digests = structure_digests(rows)
    rows = rows.append_column("structure_sha256", pa.array(digests, pa.string()))
    unusable = pc.sum(pc.is_null(rows["structure_sha256"])).as_py() or 0
    left_out["with a cell without volume or a species that is no element"] = unusable
    rows = rows.filter(pc.is_valid(rows["structure_sha256"])).combine_chunks()
    check_rows(n_selected, left_out, rows.num_rows, target, selection)
    level = None if subset is None else json.loads(subset["recipe_json"]).get("correct")
    reference = reference_of(rows, target, level, selection.mixed_references)
    check_splits(rows, selection)
    target = replace(target, reference=reference)
    return Dataset(
        rows, target, selection, versions, digest_of(rows, target), {why: n for why, n in left_out.items() if n},
        warnings_of(rows, target),
    )


def resolved(lake: Lake, asked: Selection) -> tuple[Selection, dict[str, Any] | None, dict[str, int]]:
    """The selection with version and shares, the row of its subset, and the table versions to read."""
    if asked.subset is None:
        return replace(asked, split=asked.split or DEFAULT_SPLIT), None, versions_of(lake, TABLES[:1])
    with lake.connect() as connection:
        rows = connection.sql("from subsets order by version").to_arrow_table().to_pylist()
    versions = [row for row in rows if row["subset"] == asked.subset]
    if not versions:
        names = ", ".join(sorted({row["subset"] for row in rows}))
        raise InputError(
            f"There is no subset {asked.subset!r}. " + (f"Subsets: {names}." if names else "matlake curate makes one.")
        )
    row = next((row for row in versions if asked.version in (None, row["version"])), None)
    if asked.version is None:
        row = versions[-1]
    if row is None:
        numbers = ", ".join(str(row["version"]) for row in versions)
        raise InputError(f"The subset {asked.subset} has no version {asked.version}. Versions: {numbers}.")
    shares = asked.split or tuple(json.loads(row["recipe_json"])["split"])
    pinned = {"calculations": dict(row["table_versions"])["calculations"]} | versions_of(lake, TABLES[1:])
    return replace(asked, version=row["version"], split=shares), row, pinned


def digest_of(rows: pa.Table, target: Target) -> str:
    """SHA-256 of what a model can learn from rows, in their order."""
    import orjson

    digest = hashlib.sha256(f"{target.column} {target.unit} {target.reference}\n".encode())
    for batch in rows.select(DIGESTED).combine_chunks().to_batches(max_chunksize=ROWS_AT_ONCE):
        for row in zip(*(batch.column(name).to_pylist() for name in DIGESTED), strict=True):
            digest.update(orjson.dumps(row) + b"\n")
    return digest.hexdigest()
