"""The fingerprints of one batch, whatever they describe, and the rows of the table that they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.tables import TABLES

if TYPE_CHECKING:
    from analytics.fingerprints.kinds import Grid

NO_COLUMNS: Mapping[str, pa.Array] = {}


@dataclass(frozen=True)
class Made:
    """n fingerprints, or the reasons why there are none.

    Attributes:
        counts: (n, n_counts), 0 to the grid's levels.
        starts: (n,) first interval that the data cover.
        stops: (n,) the one after the last.
        reasons: n reason codes; None = there is a fingerprint.
        messages: n reasons in words.
        columns: more columns of the table `fingerprints`, each (n,).
    """

    counts: NDArray[Any]
    starts: NDArray[np.int32]
    stops: NDArray[np.int32]
    reasons: Sequence[str | None]
    messages: Sequence[str | None]
    columns: Mapping[str, pa.Array] = field(default_factory=lambda: NO_COLUMNS)

    @classmethod
    def whole(
        cls, counts: NDArray[Any], reasons: Sequence[str | None], messages: Sequence[str | None]
    ) -> Made:
        """Fingerprints that every count belongs to, as those without an energy axis."""
        n, width = counts.shape
        return cls(counts, np.zeros(n, dtype=np.int32), np.full(n, width, dtype=np.int32), reasons, messages)

    def rows(self, grid: Grid, inputs: pa.Table) -> pa.Table:
        """The rows of the table `fingerprints`.

        Args:
            grid: the grid that they were made on.
            inputs: calculation_id, source and input_sha256 of the n, in the same order.
        """
        n, width = self.counts.shape
        aside = pa.array([reason is not None for reason in self.reasons], pa.bool_())
        lists = pa.ListArray.from_arrays(
            pa.array(np.arange(n + 1, dtype=np.int32) * width),
            pa.array(np.ascontiguousarray(self.counts).astype(np.int16).ravel()), mask=aside,
        )
        outside = np.array(aside.to_numpy(zero_copy_only=False))
        found = {
            "calculation_id": inputs["calculation_id"], "source": inputs["source"],
            "input_sha256": inputs["input_sha256"], "counts": lists,
            "grid_id": pa.array([grid.grid_id] * n, pa.string()), "kind": pa.array([grid.kind] * n, pa.string()),
            "total": pa.array(self.counts.sum(axis=1, dtype=np.int64), mask=outside),
            "start_interval": pa.array(self.starts, mask=outside),
            "stop_interval": pa.array(self.stops, mask=outside),
            "reason": pa.array(self.reasons, pa.string()), "message": pa.array(self.messages, pa.string()),
            **self.columns,
        }
        schema = TABLES["fingerprints"].schema
        columns = [found[f.name] if f.name in found else pa.nulls(n, f.type) for f in schema]
        return pa.table(columns, names=schema.names).cast(schema)
