"""Whether a material lies outside what a model has seen: the reason in words with numbers, or none.

What a model has seen is kept with it: how many training materials hold each element, which elements occur together,
how large and tight cells are, which settings they were calculated with, and some training crystals as the network
represents them. Thresholds are such that few of the validation materials lie outside, which the model did not learn
from either (:mod:`ml.predict.learn_domain`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake.crystal.formula import ATOMIC_NUMBER
from lake.errors import InputError
from ml.predict.geometry import WORDS, geometry
from ml.predict.levels import Levels
from ml.predict.nearest import nearest

Floats = npt.NDArray[np.float64]
PART = "domain"
"""Its name among the settings of a model, and the first part of the names of its arrays."""
SCHEMA = 1
MOST_LISTED = 4


@dataclass(frozen=True)
class Space:
    """Some training materials as the network, or the features, represent them.

    Attributes:
        centre: mean of each coordinate over the training materials (w,).
        scale: its standard deviation (w,).
        landmarks: training materials that stand for all, centred and scaled (k, w).
        farthest: a material further from the nearest of them lies outside.
        share: of the validation materials that lie within.
    """

    centre: Floats
    scale: Floats
    landmarks: Floats
    farthest: float
    share: float

    def distances(self, positions: Floats) -> Floats:
        """From materials (n, w) to the nearest landmark (n,)."""
        return nearest((positions - self.centre) / self.scale, self.landmarks)


@dataclass(frozen=True)
class Domain:
    """What a model has seen.

    Attributes:
        materials: element → training materials that hold it.
        fewest: an element in fewer of them is rare.
        pairs: elements that occur together in a training material, alphabetical.
        most_new_pairs: a material may join so many other pairs.
        ranges: least and greatest value of numbers of :data:`ml.predict.geometry.WORDS`; empty of a model that sees
            compositions only.
        levels: settings that it takes as inputs.
        space: None = of a model or a lake too small for it.
    """

    materials: Mapping[str, int]
    fewest: int
    pairs: frozenset[tuple[str, str]]
    most_new_pairs: int
    ranges: Mapping[str, tuple[float, float]]
    levels: Levels
    space: Space | None = None

    def reasons(self, rows: pa.Table, positions: Floats | None) -> list[str | None]:
        """Why each of n rows lies outside, in words; None where it does not.

        Args:
            rows: crystals, all of whose elements the model knows; settings that they lack are not judged.
            positions: latents or features (n, w); None = they are not judged by them.
        """
        found: list[list[str]] = [[] for _ in range(rows.num_rows)]
        for place, species in enumerate(rows["species_at_sites"].to_pylist()):
            found[place] += self._of_elements(sorted(set(species)))
        if self.ranges:
            for name, values in geometry(rows).items():
                low, high = self.ranges[name]
                for place in np.flatnonzero(~((values >= low) & (values <= high))).tolist():
                    found[place].append(f"has {values[place]:.3g} {WORDS[name]}, and those learned from have "
                                        f"{low:.3g} to {high:.3g}")
        for place, word in enumerate(self.levels.unseen(rows)):
            found[place] += [word] if word else []
        if self.space is not None and positions is not None:
            distances = self.space.distances(positions)
            for place in np.flatnonzero(~(distances <= self.space.farthest)).tolist():
                found[place].append(
                    f"is unlike what was learned from: {distances[place]:.3g} from the nearest training material, and "
                    f"{100 * self.space.share:.3g} % of the validation materials are within {self.space.farthest:.3g}")
        return ["; ".join(words) or None for words in found]

    def _of_elements(self, elements: list[str]) -> list[str]:
        rare = [f"{one} ({self.materials.get(one, 0)})" for one in elements if self.materials.get(one, 0) < self.fewest]
        new = [pair for pair in itertools.combinations(elements, 2) if pair not in self.pairs]
        found = [f"holds elements of fewer than {self.fewest} training materials: {', '.join(rare)}"] if rare else []
        if len(new) > self.most_new_pairs:
            listed = ", ".join("–".join(pair) for pair in new[:MOST_LISTED])
            more = f" and {len(new) - MOST_LISTED} more" if len(new) > MOST_LISTED else ""
            found.append(f"joins elements that are together in no training material: {listed}{more}")
        return found

    def plain(self) -> dict[str, Any]:
        """What of it goes into `model.json`."""
        space = None if self.space is None else {"farthest": self.space.farthest, "share": self.space.share}
        return {
            "schema": SCHEMA, "materials": dict(sorted(self.materials.items())), "fewest": self.fewest,
            "pairs": ["-".join(pair) for pair in sorted(self.pairs)], "most_new_pairs": self.most_new_pairs,
            "ranges": {name: list(ends) for name, ends in self.ranges.items()}, "levels": self.levels.plain(),
            "space": space,
        }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What of it goes beside the weights."""
        if self.space is None:
            return {}
        return {f"{PART}.centre": self.space.centre, f"{PART}.scale": self.space.scale,
                f"{PART}.landmarks": self.space.landmarks.astype(np.float16)}

    @classmethod
    def of(cls, settings: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], where: str) -> Domain | None:
        """The domain that is kept with a model; None where none is.

        Args:
            settings: of the model's description.
            arrays: of the model.
            where: which model, for messages.

        Raises:
            InputError: it is not what a domain should be.
        """
        given = settings.get(PART)
        if given is None:
            return None
        try:
            if given["schema"] != SCHEMA:
                raise ValueError(f"its schema is {given['schema']!r:.20}")
            pairs = [tuple(text.split("-")) for text in given["pairs"]]
            materials = {symbol: int(n) for symbol, n in given["materials"].items()}
            ranges = {name: (float(low), float(high)) for name, (low, high) in given["ranges"].items()}
            if not {*materials, *itertools.chain(*pairs)} <= ATOMIC_NUMBER.keys() or {len(p) for p in pairs} - {2}:
                raise ValueError("it holds what is no element")
            if set(ranges) - set(WORDS):
                raise ValueError(f"it speaks of {sorted(set(ranges) - set(WORDS))[0]!r:.40}")
            return cls(
                materials, int(given["fewest"]), frozenset((one, other) for one, other in pairs),
                int(given["most_new_pairs"]), ranges, Levels.from_plain(given["levels"]),
                _space(given["space"], arrays),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{where}: what the model has seen is not described as it should be ({error!r:.200})."
                             ) from None


def without(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """A model's arrays without those of its domain: the weights."""
    return {name: array for name, array in arrays.items() if not name.startswith(f"{PART}.")}


def _space(given: Mapping[str, Any] | None, arrays: Mapping[str, npt.NDArray[Any]]) -> Space | None:
    if given is None:
        return None
    centre, scale, landmarks = (np.asarray(arrays[f"{PART}.{name}"], np.float64)
                                for name in ("centre", "scale", "landmarks"))
    farthest, share = float(given["farthest"]), float(given["share"])
    if centre.ndim != 1 or scale.shape != centre.shape or landmarks.shape[1:] != centre.shape or not len(landmarks):
        raise ValueError("its landmarks are of another shape")
    if not (scale > 0).all() or not math.isfinite(farthest):
        raise ValueError("its scales are not above 0")
    return Space(centre, scale, landmarks, farthest, share)
