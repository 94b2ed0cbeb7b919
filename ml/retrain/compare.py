"""Two models on the same rows, which neither has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.crystal.formula import SYMBOLS
from ml.evaluate import metrics, paired_difference

if TYPE_CHECKING:
    from lake.store.lake import Lake
    from ml.data.dataset import Dataset
    from ml.registry.model import Model


@dataclass(frozen=True)
class Comparison:
    """Errors of two models on the same rows, in the unit of the target.

    Attributes:
        n: rows that both were evaluated on.
        n_materials: materials of them.
        n_seen: rows of the test split left out because the champion was trained or stopped on their material.
        n_unknown: rows left out because the champion has never seen one of their elements.
        champion_mae, challenger_mae: mean absolute errors; NaN without rows.
        difference: challenger minus champion.
        low, high: its 95 % interval (paired bootstrap over materials); NaN below 4 materials.
    """

    n: int
    n_materials: int
    n_seen: int
    n_unknown: int
    champion_mae: float = float("nan")
    challenger_mae: float = float("nan")
    difference: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")


def compare(lake: Lake, dataset: Dataset, champion: Model, challenger: Model) -> Comparison:
    """Evaluate both on the test rows of the challenger's data.

    A material has one split in every version of a subset, so that test rows are new to both; where the recipe's
    shares or key have changed since, the materials that the champion learned from are left out.

    Args:
        lake: where the champion's predictions tell what it learned from.
        dataset: the challenger's data.
        champion: the model to beat.
        challenger: the model trained anew.
    """
    rows = dataset.rows.take(pa.array(dataset.places("test")))
    learned_from = _learned_from(lake, champion.model_id)
    seen = _is_in(rows["reduced_key"], learned_from) | _is_in(rows["cell_key"], learned_from)
    known = _known_elements(rows, champion)
    chosen = rows.filter(pa.array(~seen & known))
    n_seen, n_unknown = int(seen.sum()), int((~seen & ~known).sum())
    n_materials = len(pc.unique(chosen["material_key"]))
    if not chosen.num_rows:
        return Comparison(0, 0, n_seen, n_unknown)
    actual = chosen["actual"].to_numpy().astype(np.float64)
    first, second = champion.predict(chosen).mean, challenger.predict(chosen).mean
    difference, low, high = paired_difference(actual, first, second, chosen["material_key"].to_pylist())
    champion_mae, challenger_mae = (metrics(actual, values)["mae"] for values in (first, second))
    return Comparison(
        chosen.num_rows, n_materials, n_seen, n_unknown, float(champion_mae or 0.0), float(challenger_mae or 0.0),
        difference, low, high,
    )


def _learned_from(lake: Lake, model_id: str) -> pa.Array:
    """Keys of the materials that a model was trained or stopped on: those it was split by, and the reduced ones."""
    with lake.connect() as connection:
        found = connection.execute(
            "select distinct unnest([material_key, reduced_key]) from predictions left join calculations "
            "using (source, calculation_id) where model_id = $model_id and split in ('train', 'validation')",
            {"model_id": model_id},
        ).fetchall()
    return pa.array([key for (key,) in found if key is not None], pa.string())


def _is_in(column: pa.ChunkedArray, values: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.is_in(column, values).to_numpy(), dtype=bool)


def _known_elements(rows: pa.Table, model: Model) -> npt.NDArray[np.bool_]:
    known = {SYMBOLS[number - 1] for number in model.elements}
    return np.array([known.issuperset(elements) for elements in rows["elements"].to_pylist()], dtype=bool)
