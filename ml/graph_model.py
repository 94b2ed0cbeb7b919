"""A trained graph network as a predictor: crystals to graphs, graphs to values in the unit of the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake.errors import InputError
from ml.element_terms import summed
from ml.elements import check_elements
from ml.graphs.batch import DeviceGraphs
from ml.graphs.build import graphs_of
from ml.graphs.settings import GraphSettings
from ml.models import ModelSettings, build
from ml.models.inputs import InputEncoding
from ml.training.device import device_of

if TYPE_CHECKING:
    import torch

    from ml.models.network import Network
    from ml.registry.document import Document
    from ml.registry.model import Floats

CRYSTALS_AT_ONCE = 4_096
BATCH_SIZE = 256


@dataclass(frozen=True)
class GraphModel:
    """A network with all that stands between a crystal and its input.

    Attributes:
        network: on its device.
        graph: how crystals become graphs.
        elements: atomic numbers that it knows.
        encoding: how settings of calculations become inputs; None = it takes none.
        mean: of the target without the baseline, in its unit.
        scale: its standard deviation.
        baseline: atomic number → what is added to the mean over atoms.
        device: where it computes.
    """

    network: Network
    graph: GraphSettings
    elements: tuple[int, ...]
    encoding: InputEncoding | None
    mean: float
    scale: float
    baseline: Mapping[int, float]
    device: torch.device

    @classmethod
    def of(
        cls, document: Document, arrays: Mapping[str, npt.NDArray[Any]], device: str, where: str
    ) -> GraphModel:
        """The network of a description, with weights that fit it.

        Raises:
            InputError: settings are not those of a network, or the arrays are not its weights.
        """
        import torch

        try:
            settings = ModelSettings.of(document.settings["model"])
            graph = GraphSettings.of(document.settings["graph"])
            encoding = None if document.encoding is None else InputEncoding.from_plain(document.encoding)
        except (InputError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{where} is not described as a graph network: {error}") from None
        sizes = None if encoding is None else encoding.sizes
        if settings.kind != document.spec.kind or settings.elements != document.elements or settings.inputs != sizes:
            raise InputError(f"{where} contradicts itself: kind, elements or inputs of the network are not those of "
                             "the model.")
        _check_shapes(settings, arrays, where)
        network = build(settings)
        network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
        chosen = device_of(device)
        return cls(network.to(chosen).eval(), graph, document.elements, encoding, document.mean, document.scale,
                   document.baseline, chosen)

    def members(self, rows: pa.Table) -> Floats:
        """Predictions of every member (n_members, n), in the unit of the target.

        Raises:
            InputError: a crystal is not whole, or holds an element that the network does not know.
        """
        return self._in_unit([values for values, _ in self._parts(rows, latents=False)], rows)

    def latents(self, rows: pa.Table) -> Floats | None:
        """Node features averaged over atoms and members (n, channels)."""
        return self.both(rows)[1]

    def both(self, rows: pa.Table) -> tuple[Floats, Floats | None]:
        """Predictions and latents of one pass."""
        values, features = [], []
        for part, latents in self._parts(rows, latents=True):
            values.append(part)
            features += [] if latents is None else [latents]
        return self._in_unit(values, rows), np.concatenate(features) if features else None

    def _in_unit(self, parts: list[Floats], rows: pa.Table) -> Floats:
        if not parts:
            return np.zeros((self.network.settings.n_members, 0))
        return np.concatenate(parts, axis=1) * self.scale + self.mean + self.added(rows)

    def added(self, rows: pa.Table) -> Floats:
        """What the baseline adds (n,), in the unit of the target."""
        return summed(rows, self.baseline) if self.baseline else np.zeros(rows.num_rows)

    def _parts(self, rows: pa.Table, latents: bool) -> Iterator[tuple[Floats, Floats | None]]:
        """Standardised predictions (n_members, part), and latents (part, channels) if asked for, part by part."""
        import torch

        check_elements(rows, self.elements)
        inputs = None if self.encoding is None else self.encoding.encode(with_inputs(rows, self.encoding))
        for start in range(0, rows.num_rows, CRYSTALS_AT_ONCE):
            part = rows.slice(start, CRYSTALS_AT_ONCE)
            given = None if inputs is None else inputs[start:start + CRYSTALS_AT_ONCE]
            graphs = DeviceGraphs.of(graphs_of(part, self.graph), self.device, given)
            for first in range(0, part.num_rows, BATCH_SIZE):
                places = torch.arange(first, min(first + BATCH_SIZE, part.num_rows), device=self.device)
                with torch.no_grad():
                    batch = graphs.batch(places)
                    if latents:
                        values, features = self.network.both(batch)
                        yield values.double().cpu().numpy(), features.double().mean(0).cpu().numpy()
                    else:
                        yield self.network(batch).double().cpu().numpy(), None


def with_inputs(rows: pa.Table, encoding: InputEncoding) -> pa.Table:
    """Rows with all columns that the model takes as inputs: what they lack is unknown."""
    for column in encoding.columns:
        if column not in rows.column_names:
            rows = rows.append_column(column, pa.nulls(rows.num_rows))
    return rows


def _check_shapes(settings: ModelSettings, arrays: Mapping[str, npt.NDArray[Any]], where: str) -> None:
    """Refuse arrays that are not the weights of such a network, before memory is taken for one.

    Raises:
        InputError: a name, shape or type differs.
    """
    import torch

    with torch.device("meta"):
        expected = {name: tuple(tensor.shape) for name, tensor in build(settings).state_dict().items()}
    wrong = sorted(set(expected) ^ set(arrays)) or sorted(
        name for name, shape in expected.items() if arrays[name].shape != shape or arrays[name].dtype != np.float32
    )
    if wrong:
        raise InputError(f"The weights of {where} are not those of the network that it describes: {wrong[0][:80]} is "
                         "missing, unknown, or of another shape.")
