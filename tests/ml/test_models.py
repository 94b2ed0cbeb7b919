"""Networks: their size, their formulas against plain loops, what predictions may not depend on."""

import math

import numpy as np
import pytest
import torch
from model_crystals import ELEMENTS, batch_of, crystals, doubled, network, rotation, shuffled, turned

from ml.models import ModelSettings, build
from ml.models.network import Network
from ml.training.learner import Learner
from ml.training.settings import TrainSettings

FORMS = (
    {}, {"aggregation": "sum"}, {"steps": 4, "depth": 3, "global_readout": 2, "norm": True, "activation": "swish"},
    {"depth": 1, "activation": "relu", "n_members": 3},
)


@pytest.fixture(scope="module")
def some() -> list[dict]:
    return crystals()[:10]


@pytest.mark.parametrize(("kind", "expected"), [("schnet", 85_216), ("mpeu", 178_016)])
def test_size_is_that_of_the_paper(kind: str, expected: int) -> None:
    one = build(ModelSettings(kind, ELEMENTS, channels=64, steps=3))
    assert one.n_parameters == expected == sum(p.numel() for p in one.parameters())
    assert build(ModelSettings(kind, ELEMENTS, channels=64, steps=3, n_members=5)).n_parameters == expected


def ssp(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(x, 0) - math.log(2)


def weights(of: Network, name: str) -> np.ndarray:
    return of.get_parameter(name).detach().numpy()[0]


def readout_in_a_loop(one: Network, h: list, node_weight: list[float], node_graph: list[int], n: int) -> np.ndarray:
    value = np.zeros(n)
    for place, w in enumerate(node_weight):
        read = ssp(h[place] @ weights(one, "readout.nodes.layers.0.weight"))
        value[node_graph[place]] += w * (read @ weights(one, "readout.nodes.layers.1.weight"))[0]
    return value


def start_in_a_loop(one: Network, batch) -> tuple[list, list]:
    h = [weights(one, "start")[ELEMENTS.index(z)] for z in batch.node_z.tolist()]
    edges = list(zip(batch.sender.tolist(), batch.receiver.tolist(), batch.edge_vector.norm(dim=1).tolist(),
                     strict=True))
    return h, edges


def rbf(d: float) -> np.ndarray:
    return np.exp(-((d - 0.1 * np.arange(150)) ** 2) / 0.1)


def test_schnet_is_its_formula(some: list[dict]) -> None:
    batch, one = batch_of(some[:3], "full", n_neighbours=4), network("schnet")
    h, edges = start_in_a_loop(one, batch)
    for step in range(2):
        heard: list[list[np.ndarray]] = [[] for _ in h]
        for sender, receiver, d in edges:
            f1 = weights(one, "spread.weight")[:, 8 * step:8 * step + 8]
            filter_ = ssp(ssp(rbf(d) @ f1) @ weights(one, "filters.0.weight")[step])
            heard[receiver].append(filter_ * (h[sender] @ weights(one, f"send.{step}.weight")))
        h = [x + ssp(np.mean(all_, axis=0) @ weights(one, f"update.{step}.layers.0.weight"))
             @ weights(one, f"update.{step}.layers.1.weight") for x, all_ in zip(h, heard, strict=True)]
    expected = readout_in_a_loop(one, h, batch.node_weight.tolist(), batch.node_graph.tolist(), 3)
    np.testing.assert_allclose(one(batch).detach().numpy()[0], expected, atol=2e-5)  # vectors are in single precision


def test_mpeu_is_its_formula(some: list[dict]) -> None:
    batch, one = batch_of(some[:2], "full", n_neighbours=4), network("mpeu")
    h, edges = start_in_a_loop(one, batch)
    state = [rbf(d) for _, _, d in edges]
    for step in range(2):
        def w(name: str, step: int = step) -> np.ndarray:
            return weights(one, f"steps.{step}.{name}.weight")

        e1 = np.concatenate([w("sent"), w("received"), w("own") if step else weights(one, "spread.weight")])
        heard: list[list[np.ndarray]] = [[] for _ in h]
        for place, (sender, receiver, _) in enumerate(edges):
            e = ssp(np.concatenate([h[sender], h[receiver], state[place]]) @ e1) @ w("edges.layers.0")
            message = ssp(ssp(e @ w("messages.layers.0")) @ w("messages.layers.1"))
            heard[receiver].append(message * (h[sender] @ w("send")))
            state[place] = e
        h = [x + ssp(np.mean(all_, axis=0) @ w("update.layers.0")) @ w("update.layers.1")
             for x, all_ in zip(h, heard, strict=True)]
    expected = readout_in_a_loop(one, h, batch.node_weight.tolist(), batch.node_graph.tolist(), 2)
    np.testing.assert_allclose(one(batch).detach().numpy()[0], expected, atol=2e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["schnet", "mpeu"])
def test_the_quotient_graph_says_what_the_full_graph_says(kind: str, form: dict, some: list[dict]) -> None:
    one, full, quotient = network(kind, **form), batch_of(some, "full"), batch_of(some, "quotient")
    assert len(quotient.node_z) < len(full.node_z)
    assert len(quotient.sender) < len(full.sender)
    (value, latents), (of_full, latents_of_full) = one.both(quotient), one.both(full)
    assert float((value - of_full).abs().max()) < 1e-6 * max(1.0, float(of_full.abs().max()))
    assert float((latents - latents_of_full).abs().max()) < 1e-6 * max(1.0, float(latents_of_full.abs().max()))
    assert float(of_full.std()) > 1e-3


@pytest.mark.parametrize("kind", ["schnet", "mpeu", "painn"])
def test_predictions_do_not_depend_on_how_a_crystal_is_written(kind: str, some: list[dict]) -> None:
    one, graph = network(kind, n_members=2), "full" if kind == "painn" else "quotient"
    expected = one(batch_of(some, graph)).detach()
    assert float(expected.std()) > 1e-4
    for other in ([shuffled(c) for c in some], [turned(c, rotation(1)) for c in some], [doubled(c) for c in some]):
        torch.testing.assert_close(one(batch_of(other, graph)).detach(), expected, atol=1e-5, rtol=0)
    for place in (0, 7):
        alone = one(batch_of([some[place]], graph)).detach()
        torch.testing.assert_close(alone[:, 0], expected[:, place], atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", ["schnet", "mpeu", "painn"])
def test_members_are_networks_of_their_own(kind: str, some: list[dict]) -> None:
    batch = batch_of(some[:4], "full")
    several = network(kind, seed=5, n_members=3, norm=True, dropout=0.05)
    several(batch)[1].sum().backward()
    for member in range(3):
        alone = network(kind, seed=5 + member, norm=True, dropout=0.05)
        torch.testing.assert_close(several(batch)[member], alone(batch)[0], atol=1e-12, rtol=0)
        torch.testing.assert_close(several.latents(batch)[member], alone.latents(batch)[0], atol=1e-12, rtol=0)
        alone(batch).sum().backward()
        for (name, parameter), single in zip(several.named_parameters(), alone.parameters(), strict=True):
            expected = single.grad[0] if member == 1 else torch.zeros_like(single[0])
            torch.testing.assert_close(parameter.grad[member], expected, atol=1e-12, rtol=0, msg=name)


@pytest.mark.parametrize("kind", ["schnet", "mpeu", "painn"])
@pytest.mark.parametrize("n_members", [1, 3])
def test_a_seed_decides_every_bit(kind: str, n_members: int, some: list[dict]) -> None:
    batch, ends = batch_of(some, "full", torch.float32), []
    for _ in range(2):
        torch.manual_seed(3)
        one = network(kind, dtype=torch.float32, n_members=n_members, dropout=0.05, channels=16).train()
        learner = Learner(one, TrainSettings())
        for _ in range(3):
            learner.forget_gradients()
            one(batch).square().sum().backward()
            learner.update(1e-3)
        ends.append(torch.cat([p.detach().flatten() for p in one.parameters()]))
    assert torch.equal(*ends)


@pytest.mark.parametrize("kind", ["schnet", "mpeu", "painn"])
def test_a_tiny_set_is_learned_by_heart(kind: str, some: list[dict]) -> None:
    torch.manual_seed(0)
    some = some[:6]
    batch = batch_of(some, "full" if kind == "painn" else "quotient", torch.float32, n_neighbours=6)
    one, target = network(kind, dtype=torch.float32, channels=24).train(), torch.randn(len(some))
    learner = Learner(one, TrainSettings())
    for _ in range(120):
        learner.forget_gradients()
        (one(batch) - target).square().mean().backward()
        learner.update(1e-2)
    assert float((one(batch) - target).abs().max()) < 0.1


@pytest.mark.parametrize("kind", ["schnet", "mpeu", "painn"])
def test_what_fills_a_batch_up_changes_nothing(kind: str, some: list[dict]) -> None:
    from ml.graphs.batch import DeviceGraphs, Sizes
    from ml.graphs.build import graphs_of
    from ml.graphs.settings import GraphSettings

    settings = GraphSettings(kind="full" if kind == "painn" else "quotient", n_neighbours=12)
    graphs = DeviceGraphs.of(graphs_of(some, settings), dtype=torch.float64)
    places, one = torch.tensor([3, 1, 1, 8]), network(kind, n_members=2)
    exact = graphs.batch(places)
    padded = graphs.padded(places, Sizes(*(n + 17 for n in exact.sizes)))
    results = []
    for batch in (exact, padded):
        one.zero_grad()
        value = one(batch)
        value.square().sum().backward()
        results.append([value.detach(), *[p.grad.clone() for p in one.parameters()]])
    for of_exact, of_padded in zip(*results, strict=True):
        torch.testing.assert_close(of_padded, of_exact, atol=1e-10, rtol=1e-9)


def test_dropout_works_in_training_only(some: list[dict]) -> None:
    batch, one = batch_of(some[:3]), network("mpeu", dropout=0.5)
    assert torch.equal(one(batch), one(batch))
    one.train()
    assert not torch.equal(one(batch), one(batch))


def test_an_element_that_was_not_learned_is_no_zero(some: list[dict]) -> None:
    one = build(ModelSettings("schnet", (1, 3, 8), channels=8, steps=1)).double()
    with pytest.raises(IndexError):
        one(batch_of([some[0]]))


def test_every_weight_is_stored_by_member() -> None:
    one = network("painn", n_members=4, norm=True, steps=1)
    assert {len(tensor) for tensor in one.state_dict().values()} == {4}
