"""A cluster expansion as a model: crystals onto lattices, correlations, monomials, a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake.errors import InputError
from ml.elements import check_elements
from ml.expand.mapping import best_place
from ml.expansion.clusters import Clusters
from ml.expansion.parent import Parent
from ml.expansion.placing import LeftOut, structures_of
from ml.linear.monomials import HIGHEST_DEGREE

if TYPE_CHECKING:
    from ml.registry.document import Document

Floats = npt.NDArray[np.float64]
PART = "expansion"
"""Its name among the settings of a model."""
MOST_CLUSTERS = 100_000


@dataclass(frozen=True)
class ExpansionModel:
    """Lattices, and a linear model of monomials of correlations on each.

    Attributes:
        clusters: of every lattice.
        terms: of every feature, its lattice and the places of its factors among the lattice's correlations.
        coefficients: of the features (m,), in the unit of the target.
        intercepts: of the lattices, in the same unit; NaN = nothing was learned on it.
        elements: atomic numbers that it has seen.
    """

    clusters: tuple[Clusters, ...]
    terms: tuple[tuple[int, tuple[int, ...]], ...]
    coefficients: Floats
    intercepts: Floats
    elements: tuple[int, ...]

    @classmethod
    def of(cls, document: Document, arrays: Mapping[str, npt.NDArray[Any]], where: str) -> ExpansionModel:
        """The model of a description, with coefficients that fit it.

        Raises:
            InputError: it describes no expansion, or the arrays are not its coefficients.
        """
        try:
            part = document.settings[PART]
            clusters = tuple(_clusters(one) for one in part["lattices"])
            terms = tuple((_place(one[0], len(clusters)), tuple(_place(x, MOST_CLUSTERS) for x in one[1]))
                          for one in part["terms"])
            learned = [bool(one["learned"]) for one in part["lattices"]]
            if any(not 1 <= len(factors) <= HIGHEST_DEGREE for _, factors in terms):
                raise InputError("a term has no factors, or too many.")
            coefficients, intercepts = arrays["coefficients"], arrays["intercepts"]
            if set(arrays) != {"coefficients", "intercepts"} or coefficients.shape != (len(terms),) \
                    or intercepts.shape != (len(clusters),):
                raise InputError("its coefficients are not those of its terms.")
        except (InputError, KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(f"{where} is not what it is described as, a cluster expansion: {error}") from None
        return cls(clusters, terms, np.asarray(coefficients, dtype=np.float64),
                   np.where(learned, np.asarray(intercepts, dtype=np.float64), np.nan), document.elements)

    @property
    def n_parameters(self) -> int:
        """Coefficients and intercepts."""
        return len(self.coefficients) + int(np.isfinite(self.intercepts).sum())

    def plain(self) -> dict[str, Any]:
        """What is no coefficient, as JSON can hold it."""
        degrees = Counter(str(len(factors)) for _, factors in self.terms)
        return {
            "lattices": [{"parent": one.parent.to_json(), "cutoffs_angstrom": list(one.cutoffs),
                          "learned": bool(np.isfinite(constant))}
                         for one, constant in zip(self.clusters, self.intercepts, strict=True)],
            "terms": [[lattice, list(factors)] for lattice, factors in self.terms],
            "terms_by_degree": dict(sorted(degrees.items())),
            "n_constants": int(np.isfinite(self.intercepts).sum()),
        }

    def arrays(self) -> dict[str, Floats]:
        """The coefficients as they are stored."""
        return {"coefficients": self.coefficients, "intercepts": np.nan_to_num(self.intercepts)}

    def value(self, lattice: int, correlations: Floats) -> Floats:
        """Of structures on a lattice, by their correlations (n, p); (n,)."""
        found = np.full(len(correlations), self.intercepts[lattice])
        for coefficient, (of, factors) in zip(self.coefficients, self.terms, strict=True):
            if of == lattice:
                found += coefficient * np.prod(correlations[:, list(factors)], axis=1)
        return found

    def problems(self, rows: pa.Table) -> list[str | None]:
        """Why nothing can be said of each row; None where something can."""
        return [found if isinstance(found, str) else None for found in self._placed(rows)]

    def members(self, rows: pa.Table) -> Floats:
        """Predictions (1, n), in the unit of the target.

        Raises:
            InputError: a row holds an element that was not learned from, or is on none of the lattices.
        """
        check_elements(rows, self.elements)
        found = np.empty(rows.num_rows)
        for number, one in enumerate(self._placed(rows)):
            if isinstance(one, str):
                name = rows["calculation_id"][number].as_py() if "calculation_id" in rows.column_names else number
                raise InputError(f"Nothing can be said of {name}: {one}")
            found[number] = self.value(one[0], one[1][None])[0]
        return found[None]

    def latents(self, _: pa.Table) -> Floats | None:
        """An expansion has none."""
        return None

    def both(self, rows: pa.Table) -> tuple[Floats, Floats | None]:
        """Predictions, and no latents."""
        return self.members(rows), None

    def _placed(self, rows: pa.Table) -> list[tuple[int, Floats] | str]:
        columns = [rows[name].to_pylist() for name in ("lattice_vectors_angstrom", "fractional_positions",
                                                       "species_at_sites")]
        parents = [one.parent for one in self.clusters]
        found: list[tuple[int, Floats] | str] = []
        for structure in structures_of([""] * rows.num_rows, *columns):
            number, how = best_place(structure, parents)
            if isinstance(how, LeftOut):
                found.append(how.message)
            elif not np.isfinite(self.intercepts[number]):
                found.append(f"It is on {parents[number].name}, of which nothing was learned.")
            else:
                found.append((number, self.clusters[number].correlations(how)))
        return found


def _clusters(given: Mapping[str, Any]) -> Clusters:
    cutoffs = [float(one) for one in given["cutoffs_angstrom"]]
    if not 1 <= len(cutoffs) <= 3 or not all(0 < one < 50 for one in cutoffs):
        raise InputError("the reach of its clusters is none.")
    return Clusters(Parent.of(given["parent"]), tuple(cutoffs))


def _place(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value < most:
        raise InputError("a term is of a lattice or cluster that there is not.")
    return value


def model_of(
    clusters: Sequence[Clusters], terms: Sequence[tuple[int, tuple[int, ...]]], coefficients: Floats,
    intercepts: Mapping[int, float], elements: tuple[int, ...],
) -> ExpansionModel:
    """A model from what was fitted.

    Args:
        clusters: of every lattice.
        terms: lattice and factors of every feature.
        coefficients: of the features (m,).
        intercepts: by lattice, where something was learned.
        elements: atomic numbers that were learned from.
    """
    constants = np.array([intercepts.get(place, np.nan) for place in range(len(clusters))])
    return ExpansionModel(tuple(clusters), tuple(terms), np.asarray(coefficients, dtype=np.float64), constants,
                          elements)
