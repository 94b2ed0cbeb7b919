"""Steps: one by one, in parts, and as they are captured on a GPU, must be the same steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from model_crystals import ELEMENTS, crystals
from model_crystals import network as network_of
from test_training import CRYSTALS, SETTINGS, TARGETS, TRAIN, VALIDATION, same, trained
from tiny_training import Crystals, Sums
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lake.errors import TrainingError
from ml.graphs.batch import DeviceGraphs
from ml.graphs.build import graphs_of
from ml.graphs.graphs import Graphs
from ml.graphs.settings import GraphSettings
from ml.models import gaussians, ops
from ml.progress import State
from ml.training import TrainSettings
from ml.training.captured import CapturedSteps
from ml.training.learner import Learner
from ml.training.loop import fit
from ml.training.losses import loss_of
from ml.training.memory import is_out_of_memory
from ml.training.predict import predict
from ml.training.recording import WARM_UP, Body, GraphRecorder
from ml.training.sampler import Sampler
from ml.training.step import NotFiniteError, Steps, Totals, add_gradients

STEP_SETTINGS = TrainSettings(steps=40, batch_size=6, learning_rate=3e-3, clip=0.7, ema=0.9, loss="huber", threads=1)
PLACES = np.arange(24)


@pytest.fixture(scope="module", params=["schnet", "mpeu", "painn"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def graphs(kind: str) -> DeviceGraphs:
    made = graphs_of(crystals(12), GraphSettings("full" if kind == "painn" else "quotient", n_neighbours=4))
    known = [place for place in range(made.n) if made.take([place]).elements[-1] <= max(ELEMENTS)]
    return DeviceGraphs.of(made.take((known * 24)[:24]), dtype=torch.float64)


def as_on_a_gpu(body: Body, changed: Sequence[Tensor]) -> Body:
    """Does what a recorder does, but for the recording: what it runs for practice must leave nothing behind."""
    before = [one.detach().clone() for one in changed]
    for _ in range(WARM_UP + 1):
        body()
    with torch.no_grad():
        for one, old in zip(changed, before, strict=True):
            one.copy_(old)
    return body


def steps_of(of: type[Steps], graphs: DeviceGraphs, network: nn.Module, **more: Any) -> Steps:
    network.train()
    learner = Learner(network, STEP_SETTINGS)
    targets = torch.linspace(-1, 1, 24, dtype=torch.float64, device=graphs.device)
    return of(learner, graphs, targets, Sampler(PLACES, STEP_SETTINGS.batch_size, 0), **more)


def test_a_padded_batch_has_the_loss_and_gradients_of_the_exact_one(kind: str, graphs: DeviceGraphs) -> None:
    network, target = network_of(kind, n_members=2), torch.linspace(-1, 1, 6, dtype=torch.float64)
    places = torch.tensor([3, 17, 5, 5, 22, 0])
    sizes = graphs.bucket_sizes(6)[-1]
    found = []
    for batch in (graphs.batch(places), graphs.padded(places, sizes)):
        network.zero_grad()
        loss, errors = add_gradients(network, batch, target, loss_of(STEP_SETTINGS), 6)
        found.append([loss, errors, *[one.grad.clone() for one in network.parameters()]])
    for exact, padded in zip(*found, strict=True):
        torch.testing.assert_close(padded, exact, rtol=1e-9, atol=1e-10)
    assert len(graphs.padded(places, sizes).sender) > len(graphs.batch(places).sender)


def test_captured_steps_are_those_done_one_by_one(kind: str, graphs: DeviceGraphs) -> None:
    one_by_one = steps_of(Steps, graphs, network_of(kind, n_members=2))
    captured = steps_of(CapturedSteps, graphs, network_of(kind, n_members=2), recorder=as_on_a_gpu)
    # One size is left out, so that some batches are larger than all that are recorded.
    captured.buckets = captured.buckets[:-1]
    totals = [Totals(), Totals()]
    for first, last in ((0, 1), (1, 9), (9, 15)):
        totals = [steps.run(first, last, sums) for steps, sums in zip((one_by_one, captured), totals, strict=True)]
    assert len(captured.replays) >= 1
    assert totals[1].loss == pytest.approx(totals[0].loss, rel=1e-6)
    assert totals[1].error == pytest.approx(totals[0].error, rel=1e-6)
    wanted = one_by_one.learner.tensors()
    for name, tensor in captured.learner.tensors().items():
        torch.testing.assert_close(tensor, wanted[name], rtol=1e-5, atol=1e-7)


class NoWaiting(TorchDispatchMode):
    """Refuses the operations that would make a program wait for a GPU, or whose results have a size of their own."""

    waiting = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal", "_unique", "bincount")

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert not name.startswith(self.waiting), name
        if name.startswith("index"):
            masks = [one for one in tree_leaves(args) if isinstance(one, Tensor) and one.dtype == torch.bool]
            assert not masks, name
        assert name != "repeat_interleave" or (kwargs or {}).get("output_size") is not None
        self.seen.add(name)
        return func(*args, **(kwargs or {}))


def test_nothing_in_a_captured_step_waits_for_the_device(
    kind: str, graphs: DeviceGraphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done only on a CPU is switched off: the rest is what a GPU would do."""
    monkeypatch.setattr(ops, "compiled", lambda _: False)
    monkeypatch.setattr(gaussians, "compiled", lambda _: False)
    monkeypatch.setattr(gaussians.Gaussians, "window", lambda self, _: (0, len(self.centres)))
    steps = steps_of(CapturedSteps, graphs, network_of(kind, n_members=2, dropout=0.1), recorder=as_on_a_gpu)
    steps.run(0, 2, Totals())
    with NoWaiting() as mode:
        steps.body(steps.buckets[-1])
    assert {"_fused_adam_", "searchsorted", "index_select"} <= mode.seen
    with pytest.raises(AssertionError, match="_local_scalar_dense"), NoWaiting():
        steps.sums[0].item()


def test_what_cannot_be_captured_is_done_one_by_one_and_said(kind: str, graphs: DeviceGraphs) -> None:
    def refuses(body: Body, changed: Sequence[Tensor]) -> Body:
        as_on_a_gpu(body, changed)
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nand so on")

    notes: list[str] = []
    steps = steps_of(CapturedSteps, graphs, network_of(kind), recorder=refuses, note=notes.append)
    plain = steps_of(Steps, graphs, network_of(kind))
    assert steps.run(0, 5, Totals()).loss == pytest.approx(plain.run(0, 5, Totals()).loss, rel=1e-6)
    assert len(notes) == 1
    assert "(CUDA error: operation not permitted when stream is capturing)" in notes[0]


def test_without_a_recorder_and_where_the_store_is_elsewhere_nothing_is_captured(
    kind: str, graphs: DeviceGraphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    assert not steps_of(CapturedSteps, graphs, network_of(kind)).buckets
    monkeypatch.setattr(graphs, "resident", False)
    steps = steps_of(CapturedSteps, graphs, network_of(kind), recorder=as_on_a_gpu, note=notes.append)
    assert not steps.buckets
    assert "not captured" in notes[0]


@pytest.mark.parametrize("bad", ["graph", "gradient"])
def test_captured_steps_find_the_batch_that_is_to_blame_by_doing_them_again(bad: str) -> None:
    broken = Crystals(CRYSTALS.values.clone(), CRYSTALS.offsets)
    network = Sums() if bad == "graph" else Kinked()
    place = 17 if bad == "graph" else 5
    broken.values[broken.offsets[place]] = torch.nan if bad == "graph" else 0.0
    learner = Learner(network, SETTINGS)
    sampler = Sampler(TRAIN, 8, 0)
    steps = CapturedSteps(learner, Padded.of(broken), torch.zeros(60), sampler, recorder=as_on_a_gpu)
    before = steps.run(0, 1, Totals())
    assert before.loss > 0
    guilty = next(step for step in range(40) if place in sampler.batch(step))
    assert guilty > 0
    with pytest.raises(NotFiniteError) as caught:
        steps.run(1, 40, before)
    assert caught.value.step == guilty
    assert list(caught.value.places) == ([17] if bad == "graph" else list(sampler.batch(guilty)))


class Kinked(Sums):
    """A network whose value is a number where its gradient is none."""

    def forward(self, batch: SimpleNamespace) -> Tensor:
        zero = (batch.x * batch.x).sum(dim=1).sqrt() * self.a[0, 0, 0]
        weighted = (batch.x @ self.a.abs()[0, :, 0]).square().sqrt()
        nodes = (zero + weighted * 1e-3)[None]
        return super().forward(batch) + nodes.new_zeros(1, batch.n_graphs).index_add_(1, batch.graph, nodes)


class Padded(Crystals):
    """Batches of a fixed size, filled up with nodes of zeros."""

    resident = True

    @classmethod
    def of(cls, crystals: Crystals) -> Padded:
        return cls(crystals.values, crystals.offsets)

    def bucket_sizes(self, batch_size: int, *, places: np.ndarray) -> list[int]:
        return [batch_size * 5]

    def bucket_of(self, batches: np.ndarray, buckets: list[int]) -> np.ndarray:
        return np.zeros(len(batches), dtype=np.int64)

    def padded(self, places: Tensor, sizes: int) -> SimpleNamespace:
        batch = self.batch(places)
        more = sizes - len(batch.x)
        x = torch.cat([batch.x, torch.full((more, 4), 1e-3)]) if more else batch.x
        graph = torch.cat([batch.graph, torch.full((more,), len(places) - 1)])
        return SimpleNamespace(n_graphs=len(places), x=x, graph=graph)


class Hungry(Sums):
    """A network that needs more memory than there is for more than so many graphs."""

    def __init__(self, most: int, error: type[Exception] = RuntimeError, **more: Any) -> None:
        super().__init__(**more)
        self.most, self.error = most, error

    def forward(self, batch: SimpleNamespace) -> Tensor:
        if batch.n_graphs > self.most:
            if self.error is RuntimeError:
                torch.empty(2**50)
            raise self.error("out of memory")
        return super().forward(batch)


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, torch.OutOfMemoryError])
def test_out_of_memory_halves_the_batch_that_passes_not_the_one_that_counts(error: type[Exception]) -> None:
    settings = replace(SETTINGS, clip=1.0, ema=0.5)
    states: list[State] = []
    found, wanted = trained(Hungry(3, error), settings, progress=states.append), trained(settings=settings)
    for name, one in wanted.weights.items():
        torch.testing.assert_close(found.weights[name], one, rtol=1e-4, atol=1e-6)
    assert [point.train_loss for point in found.curve] == pytest.approx(
        [point.train_loss for point in wanted.curve], rel=1e-4)
    notes = [state.note for state in states if state.note]
    assert len(notes) == len(found.notes) == 2
    assert "batches of 8 now go through the network in 4 parts of 2 graphs at most" in notes[1]


def test_halved_batches_stay_halved_after_a_kill(tmp_path: Path) -> None:
    def ended(state: State) -> None:
        if state.done > 20:
            raise KeyboardInterrupt

    whole = trained(Hungry(3, dropout=0.1))
    with pytest.raises(KeyboardInterrupt):
        trained(Hungry(3, dropout=0.1), folder=tmp_path, progress=ended)
    found = trained(Hungry(3, dropout=0.1), folder=tmp_path)
    assert found.resumed_from
    assert same(whole, found)
    assert whole.notes == found.notes


def test_out_of_memory_with_one_graph_is_an_error() -> None:
    with pytest.raises(TrainingError, match=r"even with one graph at a time.*can't allocate memory"):
        trained(Hungry(0))
    with pytest.raises(TrainingError, match="even with one graph at a time"):
        predict(Hungry(0), CRYSTALS, np.arange(9), mean=0.0, scale=1.0)


def test_other_errors_are_not_taken_for_memory() -> None:
    class Wrong(Sums):
        def forward(self, batch: SimpleNamespace) -> Tensor:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        trained(Wrong())
    assert not is_out_of_memory(ValueError("out of memory"))


def test_predictions_do_not_depend_on_the_size_of_batches() -> None:
    places = np.array([5, 2, 2, 59, 7])
    whole = predict(Sums(3), CRYSTALS, places, mean=2.0, scale=3.0)
    assert whole.shape == (3, 5)
    for other in (predict(Sums(3), CRYSTALS, places, mean=2.0, scale=3.0, batch_size=2),
                  predict(Hungry(2, n_members=3), CRYSTALS, places, mean=2.0, scale=3.0)):
        np.testing.assert_allclose(other, whole, rtol=1e-6)
    assert predict(Sums(3), CRYSTALS, np.arange(0), mean=0.0, scale=1.0).shape == (3, 0)


def test_a_prediction_that_is_no_number_names_the_validation_material() -> None:
    broken = Crystals(CRYSTALS.values.clone(), CRYSTALS.offsets)
    broken.values[broken.offsets[44]] = torch.inf
    with pytest.raises(TrainingError, match=r"After step 20 .* validation rows: row 44\. "):
        fit(Sums(), broken, TARGETS, TRAIN, VALIDATION, SETTINGS)


def test_patience_ends_training_and_the_best_weights_are_kept() -> None:
    settings = replace(SETTINGS, steps=400, evaluate_every=4, patience=12, learning_rate=0.3, schedule="constant")
    found = trained(settings=settings)
    assert found.stopped == "patience"
    assert found.steps == found.best_step + 12 < 400
    assert all(point.validation_mae >= found.curve[found.best_step // 4 - 1].validation_mae for point in found.curve)


@pytest.mark.parametrize("kind", ["schnet"], indirect=True)
def test_networks_on_crystals_learn_and_go_on(kind: str, graphs: DeviceGraphs, tmp_path: Path) -> None:
    targets = np.linspace(-3, 2, 24)
    settings = TrainSettings(steps=120, batch_size=8, learning_rate=0.01, evaluate_every=40, threads=1,
                             checkpoint_seconds=0)

    def run(**more: Any) -> Any:
        return fit(network_of(kind, n_members=2, dropout=0.0), graphs, targets, PLACES[:16], PLACES[16:], settings,
                   **more)

    def ended(state: State) -> None:
        if state.done > 60:
            raise KeyboardInterrupt

    whole = run()
    assert whole.curve[-1].train_loss < 0.05 * whole.curve[0].train_loss
    with pytest.raises(KeyboardInterrupt):
        run(folder=tmp_path, progress=ended)
    assert same(whole, run(folder=tmp_path))


def without_a_weight(graphs: DeviceGraphs, place: int) -> Graphs:
    """The same graphs, but that the weight of a node of one of them is no number."""
    weights = graphs.graphs.node_weight.copy()
    weights[graphs.graphs.node_offsets[place]] = np.nan
    return replace(graphs.graphs, node_weight=weights)


def test_a_graph_whose_value_is_no_number_names_its_material(kind: str, graphs: DeviceGraphs) -> None:
    settings = TrainSettings(steps=3, batch_size=16, threads=1)
    with pytest.raises(TrainingError, match=r"at step 0, in the batch of these materials: row 3\. "):
        fit(network_of(kind, dtype=torch.float32), DeviceGraphs.of(without_a_weight(graphs, 3)),
            np.linspace(-3, 2, 24), PLACES[:16], PLACES[16:], settings)


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU with CUDA")


@pytest.mark.gpu
@needs_gpu
def test_on_a_gpu_captured_steps_are_those_done_one_by_one(kind: str, graphs: DeviceGraphs) -> None:
    there = DeviceGraphs.of(graphs.graphs, "cuda", dtype=torch.float64)
    notes: list[str] = []
    captured = steps_of(CapturedSteps, there, network_of(kind, n_members=2).cuda(), recorder=GraphRecorder(),
                        note=notes.append)
    plain = steps_of(Steps, graphs, network_of(kind, n_members=2))
    sums = [steps.run(15, 30, steps.run(0, 15, Totals())) for steps in (plain, captured)]
    assert not notes
    assert captured.replays
    assert sums[1].loss == pytest.approx(sums[0].loss, rel=1e-6)
    wanted = plain.learner.tensors()
    for name, tensor in captured.learner.tensors().items():
        torch.testing.assert_close(tensor.cpu(), wanted[name], rtol=1e-4, atol=1e-6)


@pytest.mark.gpu
@needs_gpu
def test_on_a_gpu_a_network_learns_stops_at_bad_numbers_and_goes_on(
    kind: str, graphs: DeviceGraphs, tmp_path: Path
) -> None:
    targets = np.linspace(-3, 2, 24)
    settings = TrainSettings(steps=300, batch_size=8, learning_rate=0.01, evaluate_every=100, checkpoint_seconds=0)

    def run(**more: Any) -> Any:
        there = more.pop("graphs", None) or DeviceGraphs.of(graphs.graphs, "cuda")
        return fit(network_of(kind, dtype=torch.float32), there, targets, PLACES[:16], PLACES[16:], settings, **more)

    found = run(folder=tmp_path)
    assert not found.notes
    assert found.curve[-1].train_loss < 0.1 * found.curve[0].train_loss
    assert run(folder=tmp_path).resumed_from == 300
    with pytest.raises(TrainingError, match=r"materials: row 3\. "):
        run(graphs=DeviceGraphs.of(without_a_weight(graphs, 3), "cuda"))
