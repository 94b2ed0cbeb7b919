"""What a model has seen, taken from its training rows; thresholds from its validation rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.predict.domain import PART, Domain, Space
from ml.predict.geometry import WORDS, geometry
from ml.predict.levels import Levels
from ml.predict.nearest import spread_out

if TYPE_CHECKING:
    from ml.data.dataset import Dataset
    from ml.learned import Learned
    from ml.registry.model import Predictor
    from ml.spec import ModelSpec

Floats = npt.NDArray[np.float64]
FEWEST = 20
"""An element in fewer training materials is rare, unless too many validation materials would be outside by it."""
OUTSIDE_BY_ELEMENTS = 0.005
OUTSIDE_BY_PAIRS = 0.015
OUTSIDE_BY_DISTANCE = 0.015
"""Shares of validation materials that may lie outside by each rule: in sum well below one in twenty."""
FEWEST_VALIDATION = 10
LEAST_DISTANCE = 0.01
"""In standard deviations of each coordinate: what is that close to a training material is always like it."""
MOST_TRAINING, MOST_VALIDATION, MOST_LANDMARKS = 6_000, 2_000, 2_000
SEED = 4_271


def with_domain(learned: Learned, dataset: Dataset, spec: ModelSpec) -> Learned:
    """A model that was just trained, with what it has seen among its settings and arrays."""
    rows = dataset.rows.take(pa.array(learned.places))
    train, validation = (rows.filter(pc.equal(rows["split"], name)) for name in ("train", "validation"))
    domain = learn_domain(train, validation, learned.predictor, spec.inputs, sees_crystals=spec.sees_crystals)
    document = replace(learned.document, settings=learned.document.settings | {PART: domain.plain()})
    return replace(learned, document=document, weights=dict(learned.weights) | domain.arrays())


def outside_of(learned: Learned, rows: pa.Table) -> list[str | None]:
    """Why each row lies outside what a model with a domain has seen; None where it does not, as no training row does.

    Args:
        learned: of :func:`with_domain`.
        rows: those that it can say something of, with ``split``.
    """
    found: list[str | None] = [None] * rows.num_rows
    domain = Domain.of(learned.document.settings, learned.weights, "The model")
    places = np.flatnonzero(pc.not_equal(rows["split"], "train").to_numpy())
    if domain is None or not len(places):
        return found
    others = rows.take(pa.array(places))
    latents = None if domain.space is None else learned.predictor.latents(others)
    reasons = domain.reasons(others, None if domain.space is None else position(learned.predictor, others, latents))
    for place, reason in zip(places.tolist(), reasons, strict=True):
        found[place] = reason
    return found


def learn_domain(
    train: pa.Table, validation: pa.Table, predictor: Predictor, inputs: Sequence[str], sees_crystals: bool
) -> Domain:
    """The domain of a model that was just trained.

    Args:
        train: rows that it was trained on, with ``material_key``, crystals, and the columns of ``inputs``.
        validation: rows that chose when to stop.
        predictor: of the model.
        inputs: settings of calculations that it takes.
        sees_crystals: whether it is made of networks on graphs of crystals, whose rows can all become graphs.
    """
    materials: dict[str, set[str]] = {}
    pairs: set[tuple[str, str]] = set()
    for key, elements in _contents(train):
        for element in elements:
            materials.setdefault(element, set()).add(key)
        pairs.update(itertools.combinations(elements, 2))
    counts = {element: len(keys) for element, keys in materials.items()}
    others = [elements for _, elements in _contents(validation)]
    some, held = _sample(train, MOST_TRAINING), _sample(validation, MOST_VALIDATION)
    positions = [position(predictor, part, predictor.latents(part)) if part.num_rows else None for part in (some, held)]
    return Domain(
        counts, _fewest(counts, others), frozenset(pairs), _most_new(pairs, others),
        _ranges(pa.concat_tables([some, held])) if sees_crystals else {}, Levels.of(train, inputs),
        _space(*positions),
    )


def position(predictor: Predictor, rows: pa.Table, latents: Floats | None) -> Floats | None:
    """Where crystals (n,) lie in what the model makes of them (n, w): latents, or features where it has none."""
    features = getattr(predictor, "features", None)
    if latents is None and features is not None and rows.num_rows:
        latents = features(rows)
    return None if latents is None else np.asarray(latents, np.float64)


def _contents(rows: pa.Table) -> list[tuple[str, list[str]]]:
    """Material and elements of every row."""
    return [(key, sorted(set(species))) for key, species in
            zip(rows["material_key"].to_pylist(), rows["species_at_sites"].to_pylist(), strict=True)]


def _fewest(counts: dict[str, int], others: Sequence[Sequence[str]]) -> int:
    """In how many materials an element must be; at most :data:`FEWEST`, at least 2."""
    rarest = np.array([min(counts.get(one, 0) for one in elements) for elements in others])
    fewest = FEWEST
    while fewest > 2 and len(rarest) and (rarest < fewest).mean() > OUTSIDE_BY_ELEMENTS:
        fewest -= 1
    return fewest


def _most_new(pairs: set[tuple[str, str]], others: Sequence[Sequence[str]]) -> int:
    """How many pairs of elements that are new a material may join."""
    new = np.array([sum(pair not in pairs for pair in itertools.combinations(elements, 2)) for elements in others])
    most = 0
    while len(new) and (new > most).mean() > OUTSIDE_BY_PAIRS:
        most += 1
    return most


def _ranges(rows: pa.Table) -> dict[str, tuple[float, float]]:
    values = geometry(rows)
    return {name: (float(values[name].min()), float(values[name].max())) for name in WORDS}


def _space(train: Floats | None, validation: Floats | None) -> Space | None:
    if train is None or validation is None or len(validation) < FEWEST_VALIDATION:
        return None
    centre, scale = train.mean(axis=0), train.std(axis=0)
    # A coordinate that never changes in training tells something where it does.
    scale = np.where(scale > 1e-6 * max(float(scale.max()), 1e-300), scale, max(float(scale.max()), 1e-300))
    scaled = (train - centre) / scale
    landmarks = scaled[spread_out(scaled, MOST_LANDMARKS)].astype(np.float16).astype(np.float64)
    distances = np.sort(Space(centre, scale, landmarks, math.inf, 0.0).distances(validation))
    # The rank that a new material exceeds with this probability.
    rank = min(math.ceil((len(distances) + 1) * (1 - OUTSIDE_BY_DISTANCE)), len(distances))
    farthest = max(float(distances[rank - 1]), LEAST_DISTANCE * math.sqrt(len(centre)))
    return Space(centre, scale, landmarks, farthest, float((distances <= farthest).mean()))


def _sample(rows: pa.Table, most: int) -> pa.Table:
    """All rows, or so many of them, by chance and always the same."""
    if rows.num_rows <= most:
        return rows
    chosen = np.sort(np.random.default_rng(SEED).permutation(rows.num_rows)[:most])
    return rows.take(pa.array(chosen))
