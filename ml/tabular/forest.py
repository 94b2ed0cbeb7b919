"""Random forests: grown by scikit-learn in portions that a killed training finds again, kept as plain arrays."""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.errors import InputError
from ml.models.settings import is_number
from ml.tabular.trees import Trees

PORTION = 20
Floats = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class ForestSettings:
    """How a forest is grown; the names are scikit-learn's.

    Attributes:
        n_estimators: trees.
        max_features: share of the features that a split may choose from.
        min_samples_leaf: fewest training rows in a leaf.
        max_depth: deepest leaf; None = no limit.
    """

    n_estimators: int = 300
    max_features: float = 1 / 3
    min_samples_leaf: int = 1
    max_depth: int | None = None

    def __post_init__(self) -> None:
        counts: tuple[object, ...] = (self.n_estimators, self.min_samples_leaf)
        whole = all(type(n) is int and n >= 1 for n in counts)
        if not whole or not is_number(self.max_features) or not 0 < self.max_features <= 1:
            raise InputError(
                f"A forest cannot be grown with {self}: n_estimators and min_samples_leaf are whole numbers from 1, "
                "max_features is a share above 0 and up to 1."
            )
        if self.max_depth is not None and (type(self.max_depth) is not int or self.max_depth < 1):
            raise InputError(f"max_depth is {self.max_depth!r}: a whole number from 1, or none, is needed.")

    @classmethod
    def of(cls, given: dict[str, Any]) -> ForestSettings:
        """Settings from plain values.

        Raises:
            InputError: a name is unknown or a value is out of its bounds.
        """
        known = [f.name for f in fields(cls)]
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise InputError(f"A forest has no setting {', '.join(unknown)}. Settings: {', '.join(known)}.")
        return cls(**given)


@dataclass(frozen=True)
class ForestPoint:
    """The forest after some trees; fields as the columns of `learning_curves`, ``step`` being trees."""

    step: int
    train_loss: float
    train_mae: float
    validation_mae: float | None
    validation_rmse: float | None
    learning_rate: float | None
    seconds: float


@dataclass(frozen=True)
class FittedForest:
    """A grown forest, in the form in which trained networks come.

    Attributes:
        weights: its arrays, see :class:`ml.tabular.trees.Trees`.
        mean: of the target: always 0, a forest predicts in the target's unit.
        scale: of the target: always 1.
        curve: errors after every portion of trees.
        steps: trees.
        best_step: the same: more trees do no harm.
        stopped: why it ended.
        seconds: wall time, that of portions found again included.
        device: where it was grown.
        n_parameters: nodes of a tree, in the mean.
    """

    weights: dict[str, NDArray[Any]]
    curve: list[ForestPoint]
    steps: int
    best_step: int
    seconds: float
    n_parameters: int
    mean: float = 0.0
    scale: float = 1.0
    stopped: str = "steps"
    device: str = "cpu"
    resumed_step: int = field(default=0, compare=False)


def fit_forest(
    values: NDArray[np.float32], targets: Floats, train: Places, validation: Places, settings: ForestSettings, *,
    seed: int = 0, threads: int = 0, folder: Path | None = None,
    progress: Callable[[ForestPoint], None] | None = None,
) -> FittedForest:
    """Grow a forest; the same arguments give the same trees, on any number of threads, killed in between or not.

    Args:
        values: (n, n_features).
        targets: (n,), in the unit of the target.
        train: places of the rows to learn from.
        validation: places of the rows for the learning curve; may be empty.
        settings: how.
        seed: of rows and features drawn.
        threads: how many; 0 = one per core.
        folder: where finished portions are kept, and found again if they are of the same data and settings.
        progress: called after every portion.

    Raises:
        InputError: nothing to learn from, or a value that is not a finite number.
    """
    values = np.ascontiguousarray(values, np.float32)
    used = np.concatenate((train, validation)).astype(np.int64)
    if not len(train):
        raise InputError("There are no rows to learn from: the training split is empty.")
    if not (np.isfinite(values[used]).all() and np.isfinite(targets[used]).all()):
        raise InputError("A feature or a target is not a finite number: leave such rows out.")
    digest = _digest(values, targets, train, settings, seed)
    curve, parts, sums, resumed = [], [], np.zeros(len(used)), 0
    seconds = 0.0
    for first in range(0, settings.n_estimators, PORTION):
        n = min(PORTION, settings.n_estimators - first)
        part, spent, found = _portion(values, targets, train, settings, (seed, first, n), threads, folder, digest)
        began = time.perf_counter()
        sums += part.predict(values[used], threads).sum(axis=0)
        parts.append(part)
        seconds += spent + time.perf_counter() - began
        resumed = first + n if found else resumed
        curve.append(_point(first + n, sums / (first + n), targets[used], len(train), seconds))
        if progress:
            progress(curve[-1])
    trees = Trees.joined(parts)
    return FittedForest(
        trees.weights, curve, trees.n_trees, trees.n_trees, seconds, round(trees.n_nodes / trees.n_trees),
        resumed_step=resumed,
    )


def _portion(
    values: NDArray[np.float32], targets: Floats, train: Places, settings: ForestSettings,
    place: tuple[int, int, int], threads: int, folder: Path | None, digest: str,
) -> tuple[Trees, float, bool]:
    """Some trees, the seconds that they took, and whether they were found rather than grown."""
    from sklearn.ensemble import RandomForestRegressor

    seed, first, n = place
    file = None if folder is None else folder / f"trees-{digest[:16]}-{first:05d}.safetensors"
    if file is not None and (found := _read(file, values.shape[1], n)) is not None:
        return *found, True
    began = time.perf_counter()
    forest = RandomForestRegressor(
        n, max_features=settings.max_features, min_samples_leaf=settings.min_samples_leaf,
        max_depth=settings.max_depth, n_jobs=threads or os.cpu_count() or 1,
        random_state=int(np.random.SeedSequence((seed, first)).generate_state(1)[0]),
    ).fit(values[train], targets[train])
    trees = Trees.of_sklearn([tree.tree_ for tree in forest.estimators_])
    seconds = time.perf_counter() - began
    if file is not None:
        _write(file, trees, seconds)
    return trees, seconds, False


def _read(file: Path, n_features: int, n_trees: int) -> tuple[Trees, float] | None:
    """A portion kept before; None where there is none that is whole."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(file)
        trees, seconds = Trees.of_weights(arrays, n_features), float(arrays["seconds"][0])
    except (OSError, SafetensorError, InputError, KeyError, IndexError):
        return None
    return (trees, seconds) if trees.n_trees == n_trees else None


def _write(file: Path, trees: Trees, seconds: float) -> None:
    """Keep a portion, whole or not at all; where it cannot be kept, the forest is grown all the same."""
    from safetensors.numpy import save

    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as out:
            out.write(save(trees.weights | {"seconds": np.array([seconds])}))
            out.flush()
            os.fsync(out.fileno())
        beside.replace(file)
    except OSError as error:
        warnings.warn(f"{file.parent} keeps no more trees ({error}): a killed training will grow them anew.",
                      stacklevel=2)
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _point(step: int, predicted: Floats, actual: Floats, n_train: int, seconds: float) -> ForestPoint:
    errors = predicted - actual
    learnt, held = errors[:n_train], errors[n_train:]
    spread = float(actual[:n_train].std()) or 1.0
    mae, rmse = (float(np.abs(held).mean()), float(np.sqrt((held**2).mean()))) if len(held) else (None, None)
    return ForestPoint(
        step, float((learnt**2).mean()) / spread**2, float(np.abs(learnt).mean()), mae, rmse, None, seconds
    )


def _digest(
    values: NDArray[np.float32], targets: Floats, train: Places, settings: ForestSettings, seed: int
) -> str:
    """Of all that the trees depend on; how many of them there are to be is not among it."""
    plain = asdict(settings) | {"n_estimators": None, "seed": seed, "shape": values.shape}
    digest = hashlib.sha256(json.dumps(plain).encode())
    for array in (values[train], np.asarray(targets, np.float64)[train]):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
