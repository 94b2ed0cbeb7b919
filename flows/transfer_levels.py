"""Between analytics and ml: what brings the targets of a transfer experiment to one database's level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from ml.data import Dataset
    from ml.transfer import Corrections

ENERGY = "formation_energy_ev_per_atom"


def corrections_to(level: str | None) -> Callable[[Dataset], Corrections | str]:
    """A function that fits the shifts of all other databases to one, on training rows alone.

    Args:
        level: the database; None = the one with most training rows.
    """
    return lambda data: corrections_of(data, level)


def corrections_of(data: Dataset, level: str | None = None) -> Corrections | str:
    """What brings the targets of a dataset to one database's level; or why there is no such thing.

    Only rows of the training split are fitted to: what is held out says nothing on how it is corrected.
    """
    from analytics.element_levels import levels
    from ml.transfer.corrections import ADDITIVE, Corrections

    training = data.rows.take(pa.array(data.places("train")))
    counts = Counter(training["source"].to_pylist())
    chosen = level or max(sorted(counts), key=lambda name: counts[name])
    if data.target.column not in ADDITIVE:
        return (
            f"the {data.target.label} is no sum over elements, so that no choice of elemental references moves it"
            + _differences(training, chosen, data.target.unit)
        )
    elements = sorted(set(pc.list_flatten(data.rows["elements"]).to_pylist()))
    rows = training.select(["source", "material_key", "formula_reduced"]).append_column(ENERGY, training["actual"])
    found = levels(rows, chosen, elements)
    if not found.by_source:
        return (f"no training material is both in {chosen} and in another database, so that nothing tells how far "
                "apart their levels are.")
    return Corrections(found.level, found.by_source, found.facts)


def _differences(training: pa.Table, level: str, unit: str) -> str:
    """How far the databases are apart on training materials in common, in words."""
    medians = training.group_by(["source", "material_key"], use_threads=False).aggregate(
        [("actual", "approximate_median")]
    )
    by_source: dict[str, dict[str, float]] = {}
    for source, key, value in zip(*(column.to_pylist() for column in medians.columns), strict=True):
        by_source.setdefault(source, {})[key] = value
    told = []
    for source in sorted(set(by_source) - {level}):
        both = by_source[source].keys() & by_source.get(level, {}).keys()
        values = np.array([by_source[level][key] - by_source[source][key] for key in sorted(both)])
        if len(values):
            median = float(np.median(values))
            spread = float(np.median(np.abs(values - median)))
            told.append(f"{level} minus {source}: median {median:+.3f} {unit}, median absolute deviation {spread:.3f}, "
                        f"over {len(values):,} training materials in common")
    return f" ({'; '.join(told)})." if told else "."
