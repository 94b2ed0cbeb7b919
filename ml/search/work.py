"""Training candidates of equal shape together, as a task that any worker can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lake.errors import CheckpointError, InputError, TableError
from lake.settings import Settings
from lake.store.lake import Lake
from ml.data import Dataset, Selection, dataset
from ml.search.candidate import Evaluation
from ml.spec import ModelSpec

if TYPE_CHECKING:
    from ml.learn_graphs import TrainingSet
    from ml.training.stack_result import Member

CHANGED = ("The calculations of the lake changed while candidates were trained, so that they would not be comparable: "
           "start the search again, or search a subset, whose versions stay as they are.")
END_ALL = (CheckpointError, TableError, OSError)
"""What no other candidate would be spared."""


@dataclass(frozen=True)
class Order:
    """What all tasks of a search need to know; it travels to other processes.

    Attributes:
        root: the lake.
        settings: its settings.
        selection: of the rows.
        data_sha256: digest of the rows that the search began with.
        seed: of the order of batches.
    """

    root: str
    settings: Settings
    selection: Selection
    data_sha256: str
    seed: int


@dataclass(frozen=True)
class Stack:
    """Candidates that are trained together.

    Attributes:
        name: of their folder.
        specs: how each would be trained alone; they differ in what a stack may differ in.
        folder: where checkpoints are kept.
    """

    name: str
    specs: tuple[ModelSpec, ...]
    folder: str


@dataclass(frozen=True)
class Came:
    """How far a candidate came: its whole curve, steps, share of the time, and why it failed if it did."""

    curve: tuple[Evaluation, ...]
    steps: int
    seconds: float
    failed: str | None


@dataclass(frozen=True)
class Report:
    """What came of training a stack up to a step.

    Attributes:
        members: one per candidate.
        failed: why the whole of it failed; None = it did not.
        n_parameters: of one candidate's network.
        device: where it was trained.
        notes: what a person should know.
    """

    members: tuple[Came, ...] = ()
    failed: str | None = None
    n_parameters: int | None = None
    device: str | None = None
    notes: tuple[str, ...] = field(default=())


def train_stack(order: Order, stack: Stack, until: int, keep: Sequence[int]) -> Report:
    """Train a stack up to a step, going on from its checkpoint where there is one.

    Args:
        order: of the search.
        stack: which candidates.
        until: step.
        keep: places of those in the stack that go on.

    Raises:
        InputError: the lake's rows are not those that the search began with.
        CheckpointError: what the training needs to go on cannot be kept.
        TableError: the lake cannot be read.
    """
    lake, data = _data(order)
    try:
        return _train(supply_of(lake, data, stack.specs[0]), data, order, stack, until, keep)
    except END_ALL:
        raise
    except Exception as error:  # noqa: BLE001 - one candidate that cannot be trained must not end the others
        name = "" if type(error).__module__.startswith("lake.") else f"{type(error).__name__}: "
        return Report(failed=f"{name}{error}")


def _train(
    supply: TrainingSet, data: Dataset, order: Order, stack: Stack, until: int, keep: Sequence[int]
) -> Report:
    from ml.learn_graphs import Prepared
    from ml.training.settings import TrainSettings
    from ml.training.stack import fit_stack
    from ml.training.stack_members import build_stack

    shape = Prepared.of(data, stack.specs[0])
    own = [TrainSettings.of({"seed": order.seed} | dict(spec.training)) for spec in stack.specs]
    candidates = [_member(spec, settings) for spec, settings in zip(stack.specs, own, strict=True)]
    network = build_stack(shape.model, candidates)
    ready = supply.ready
    # What candidates have of their own must not enter what they share: a stack is the same whoever comes first.
    shared = replace(own[0], seed=order.seed, learning_rate=TrainSettings.learning_rate, decay=TrainSettings.decay,
                     schedule=TrainSettings.schedule)
    found = fit_stack(
        network, supply.graphs, supply.targets, ready.train, ready.validation, shared, candidates, until=until,
        keep=keep, folder=Path(stack.folder), names=supply.names,
    )
    return Report(tuple(_came(member) for member in found.members), None, network.n_parameters, found.device,
                  found.notes)


def _member(spec: ModelSpec, settings: Any) -> Any:
    from ml.training.stack_result import Candidate

    return Candidate(settings.learning_rate, settings.decay, float(spec.model.get("dropout", 0.0)), spec.seed,
                     settings.schedule)


def _came(member: Member) -> Came:
    curve = tuple(Evaluation(point.step, point.train_loss, point.validation_rmse, point.validation_mae)
                  for point in member.curve)
    return Came(curve, member.steps, member.seconds, member.failed)


_held: dict[str, tuple[Lake, Dataset]] = {}
_supplies: dict[str, TrainingSet] = {}


def hold(order: Order, lake: Lake, data: Dataset) -> None:
    """Spare this process reading the rows that it has."""
    _held.clear()
    _supplies.clear()
    _held[_key(order)] = lake, data


def let_go() -> None:
    """Free what this process holds of rows and graphs."""
    _held.clear()
    _supplies.clear()


def _key(order: Order) -> str:
    return f"{order.root} {order.data_sha256}"


def _data(order: Order) -> tuple[Lake, Dataset]:
    """The rows, read once by every process.

    Raises:
        InputError: they changed.
    """
    if _key(order) not in _held:
        lake = Lake.open(order.root, order.settings)
        data = dataset(lake, order.selection)
        if data.sha256 != order.data_sha256:
            raise InputError(CHANGED)
        hold(order, lake, data)
    return _held[_key(order)]


def supply_of(lake: Lake, data: Dataset, spec: ModelSpec) -> TrainingSet:
    """Graphs and targets, made once by every process for all shapes that share them."""
    from ml.learn_graphs import training_set

    training = {name: value for name, value in spec.training.items() if name == "device"}
    shared = spec.but(model={}, training=training)
    key = f"{data.sha256} {shared.json()}"
    if key not in _supplies:
        _supplies.clear()
        _supplies[key] = training_set(lake, data, shared)
    return _supplies[key]
