"""A trained forest or perceptron as a predictor: rows to features, features to values in the unit of the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake.crystal.formula import count_species, formula, reduced
from lake.errors import InputError
from ml.element_terms import summed
from ml.elements import check_elements
from ml.tabular.features import FeatureSpace
from ml.tabular.trees import Trees

if TYPE_CHECKING:
    from ml.registry.document import Document
    from ml.registry.model import Floats
    from ml.tabular.mlp import Mlp

ROWS_AT_ONCE = 8_192
Features = npt.NDArray[np.float32]


class Regressor(Protocol):
    """What says something of features."""

    def members(self, values: Features) -> Floats:
        """Of n rows, by every member (n_members, n), in standard deviations of the target; a forest in its unit."""

    def latents(self, values: Features, /) -> Floats | None:
        """The last hidden layer (n, width); None where there is none."""


@dataclass(frozen=True)
class Forest:
    """Trees; every one of them counts as a member, so that their spread says how sure the forest is."""

    trees: Trees

    def members(self, values: Features) -> Floats:
        """See :class:`Regressor`."""
        return self.trees.predict(values, threads=0)

    def latents(self, _: Features) -> Floats | None:
        """A forest has none."""
        return None


@dataclass(frozen=True)
class Perceptrons:
    """Perceptrons trained together."""

    network: Mlp

    def members(self, values: Features) -> Floats:
        """See :class:`Regressor`."""
        return self._both(values)[0]

    def latents(self, values: Features) -> Floats | None:
        """See :class:`Regressor`; mean over members."""
        return np.asarray(self._both(values)[1].mean(axis=0), dtype=np.float64)

    def _both(self, values: Features) -> tuple[Floats, Floats]:
        import torch

        from ml.tabular.rows import FeatureRows

        rows = FeatureRows.of(values)
        with torch.no_grad():
            found, hidden = self.network.both(rows.batch(torch.arange(rows.n)))
        return found.double().numpy(), hidden.double().numpy()


@dataclass(frozen=True)
class TabularModel:
    """A forest or perceptron with all that stands between a row and its input.

    Attributes:
        regressor: what computes.
        space: how rows become features.
        elements: atomic numbers that it has seen.
        mean: of the target without the baseline, in its unit; 0 of a forest.
        scale: its standard deviation; 1 of a forest.
        baseline: atomic number → what is added to the mean over atoms.
    """

    regressor: Regressor
    space: FeatureSpace
    elements: tuple[int, ...]
    mean: float
    scale: float
    baseline: Mapping[int, float]

    @classmethod
    def of(cls, document: Document, arrays: Mapping[str, npt.NDArray[Any]], where: str) -> TabularModel:
        """The model of a description, with weights that fit it.

        Raises:
            InputError: settings are not those of such a model, or the arrays are not its weights.
        """
        try:
            space = FeatureSpace.from_json(document.settings["features"])
            regressor: Regressor
            if document.spec.kind == "mlp":
                regressor = _perceptrons(document.settings["model"], arrays, len(space.names))
            else:
                regressor = Forest(Trees.of_weights(arrays, len(space.names)))
        except (InputError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{where} is not what it is described as, a {document.spec.kind} on features: {error}"
                             ) from None
        return cls(regressor, space, document.elements, document.mean, document.scale, document.baseline)

    def members(self, rows: pa.Table) -> Floats:
        """Predictions of every member (n_members, n), in the unit of the target.

        Raises:
            InputError: a row holds an element that the model has not seen, or lacks what its features need.
        """
        check_elements(rows, self.elements)
        added = summed(rows, self.baseline) if self.baseline else np.zeros(rows.num_rows)
        values = self.space.values(with_formula(rows))
        parts = [self.regressor.members(values[start:start + ROWS_AT_ONCE])
                 for start in range(0, max(rows.num_rows, 1), ROWS_AT_ONCE)]
        return np.concatenate(parts, axis=1) * self.scale + self.mean + added

    def latents(self, rows: pa.Table) -> Floats | None:
        """The last hidden layer (n, width), mean over members; None of a forest."""
        return self.regressor.latents(self.space.values(with_formula(rows)))

    def both(self, rows: pa.Table) -> tuple[Floats, Floats | None]:
        """Predictions and latents."""
        return self.members(rows), self.latents(rows)

    def features(self, rows: pa.Table) -> Features:
        """What it sees of rows (n, number of features)."""
        return self.space.values(with_formula(rows))


def with_formula(rows: pa.Table) -> pa.Table:
    """Rows with ``formula_reduced``, which structures from files do not have."""
    if "formula_reduced" in rows.column_names:
        return rows
    formulas = [formula(reduced(count_species(species))) for species in rows["species_at_sites"].to_pylist()]
    return rows.append_column("formula_reduced", pa.array(formulas, pa.string()))


def _perceptrons(settings: Any, arrays: Mapping[str, npt.NDArray[Any]], n_features: int) -> Perceptrons:
    import torch

    from ml.tabular.mlp import Mlp, MlpSettings

    form = MlpSettings.of(settings)
    if form.n_features != n_features:
        raise InputError(f"it takes {form.n_features} features, and its description names {n_features}.")
    with torch.device("meta"):
        expected = {name: tuple(tensor.shape) for name, tensor in Mlp(form).state_dict().items()}
    wrong = sorted(set(expected) ^ set(arrays)) or sorted(
        name for name, shape in expected.items() if arrays[name].shape != shape or arrays[name].dtype != np.float32
    )
    if wrong:
        raise InputError(f"the weights {wrong[0][:80]} are missing, unknown, or of another shape.")
    network = Mlp(form)
    network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
    return Perceptrons(network.eval())
