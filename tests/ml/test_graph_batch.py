"""Batches: graphs counted through, filled up without any effect, from the host or on the device."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from graph_crystals import copper, perovskite, rocksalt

from lake.errors import InputError
from ml.graphs.batch import Batch, DeviceGraphs, Sizes
from ml.graphs.build import graphs_of
from ml.graphs.graphs import Graphs
from ml.graphs.settings import GraphSettings
from tests.conftest import only_long

torch.set_num_threads(1)
KINDS = ("quotient", "full")
NODES = ("node_z", "node_weight", "node_graph", "node_degree")
EDGES = ("sender", "receiver", "edge_weight", "edge_distance")


def made(kind: str) -> Graphs:
    some = [rocksalt(), copper(), perovskite(), rocksalt(4.2), copper(4.0)]
    return graphs_of(some, GraphSettings.of({"kind": kind, "n_neighbours": 6}))


@pytest.fixture(scope="module", params=KINDS)
def graphs(request: pytest.FixtureRequest) -> Graphs:
    return made(request.param)


def output(batch: Batch, weights: torch.Tensor) -> torch.Tensor:
    """Two steps of messages along distances, summed by graph: touches all that a network may."""
    h = weights[batch.node_z]
    for _ in range(2):
        message = torch.cos(batch.distance)[batch.edge_distance, None] * h[batch.sender] * batch.edge_weight[:, None]
        if batch.edge_vector is not None:
            message = message * (1 + batch.edge_vector.norm(dim=1, keepdim=True) / batch.edge_vector.norm(dim=1).max())
        h = h + torch.zeros_like(h).index_add(0, batch.receiver, message) * batch.node_degree[:, None] / 7
    return torch.zeros(batch.n_graphs, h.shape[1], dtype=h.dtype).index_add(
        0, batch.node_graph, h * batch.node_weight[:, None])


def test_a_batch_is_its_graphs_one_after_the_other(graphs: Graphs) -> None:
    places = [3, 0, 3, 1]
    batch = DeviceGraphs.of(graphs).batch(places)
    alone = [DeviceGraphs.of(graphs.take([place])).batch([0]) for place in places]
    node = edge = distance = 0
    for number, one in enumerate(alone):
        nodes, edges, distances = one.sizes
        for name in NODES:
            expected = getattr(one, name) + (number if name == "node_graph" else 0)
            torch.testing.assert_close(getattr(batch, name)[node:node + nodes], expected, rtol=0, atol=0)
        for name in EDGES:
            shift = {"sender": node, "receiver": node, "edge_distance": distance}.get(name, 0)
            found = getattr(batch, name)[edge:edge + edges]
            torch.testing.assert_close(found, getattr(one, name) + shift, rtol=0, atol=0)
        torch.testing.assert_close(batch.distance[distance:distance + distances], one.distance, rtol=0, atol=0)
        node, edge, distance = node + nodes, edge + edges, distance + distances
    assert batch.sizes == Sizes(node, edge, distance)
    assert (batch.receiver.diff() >= 0).all()
    if batch.edge_vector is not None:
        lengths = batch.edge_vector.norm(dim=1)
        torch.testing.assert_close(lengths, batch.distance[batch.edge_distance], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_fills_a_batch_up_changes_nothing(graphs: Graphs, dtype: torch.dtype) -> None:
    inputs = np.arange(graphs.n * 2, dtype=np.float64).reshape(-1, 2)
    store = DeviceGraphs.of(graphs, inputs=inputs, dtype=dtype)
    places = torch.tensor([4, 2, 0])
    exact = store.batch(places)
    for more in (Sizes(0, 0, 0), Sizes(1, 0, 0), Sizes(0, 5, 0), Sizes(0, 0, 3), Sizes(7, 9, 11)):
        sizes = Sizes(*(a + b for a, b in zip(exact.sizes, more, strict=True)))
        padded = store.padded(places, sizes)
        assert padded.sizes == sizes
        assert padded.n_graphs == 3
        assert padded.distance.dtype == padded.node_weight.dtype == dtype
        for names, n in zip((NODES, EDGES, ("distance",)), exact.sizes, strict=True):
            for name in names:
                assert torch.equal(getattr(padded, name)[:n], getattr(exact, name)), name
        assert (padded.receiver.diff() >= 0).all()
        assert (padded.node_graph.diff() >= 0).all()
        assert not padded.node_weight[exact.sizes.nodes:].any()
        assert not padded.edge_weight[exact.sizes.edges:].any()
        assert padded.inputs is not None
        assert torch.equal(padded.inputs, torch.tensor(inputs[[4, 2, 0]], dtype=dtype))
        results = []
        for batch in (exact, padded):
            weights = torch.linspace(-1, 1, 120 * 3, dtype=dtype).reshape(120, 3).requires_grad_()
            value = output(batch, weights)
            value.square().sum().backward()
            assert weights.grad is not None
            results.append((value.detach(), weights.grad))
        torch.testing.assert_close(results[0], results[1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("short", range(3))
def test_a_batch_that_does_not_fit_is_never_taken_for_one(graphs: Graphs, short: int) -> None:
    store = DeviceGraphs.of(graphs)
    places = torch.arange(3)
    sizes = list(store.batch(places).sizes)
    sizes[short] -= 1
    assert store.padded(places, Sizes(*sizes)).node_weight.isnan().all()


def test_a_store_in_host_memory_gives_the_same(graphs: Graphs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of a store that does not fit on the GPU, as far as a CPU can go it."""
    monkeypatch.setattr(Batch, "pinned", lambda batch: batch)
    inputs = torch.arange(graphs.n)[:, None]
    here = DeviceGraphs.of(graphs, inputs=inputs)
    there = DeviceGraphs(graphs, torch.device("cpu"), inputs, torch.float32, resident=False)
    places = torch.tensor([1, 1, 4])
    sizes = Sizes(40, 400, 60)
    for one, other in ((here.batch(places), there.batch(places)), (here.padded(places, sizes),
                                                                    there.padded(places, sizes))):
        for name in (*NODES, *EDGES, "distance", "inputs"):
            assert torch.equal(getattr(one, name), getattr(other, name)), name


def test_buckets(graphs: Graphs) -> None:
    store = DeviceGraphs.of(graphs)
    buckets = store.bucket_sizes(16, n_drawn=500)
    assert len(buckets) == 3
    assert (np.diff(np.array(buckets), axis=0) >= 0).all()
    batches = np.random.default_rng(7).integers(0, graphs.n, (300, 16))
    which = store.bucket_of(batches, buckets)
    sizes = store.batch_sizes(batches)
    assert (which >= 0).mean() > 0.99
    for row, bucket in zip(sizes, which, strict=True):
        fits = [all(a <= b for a, b in zip(row, each, strict=True)) for each in buckets]
        assert bucket == (fits.index(True) if any(fits) else -1)
    assert store.bucket_of(batches, [Sizes(1, 1, 1)]).tolist() == [-1] * 300
    assert store.bucket_sizes(4, n_buckets=1, places=np.array([2]))[0] >= store.batch([2] * 4).sizes
    assert len(store.bucket_sizes(4, places=np.array([], dtype=np.int64))) == 1


def test_batches_are_copied_in_place(graphs: Graphs) -> None:
    store = DeviceGraphs.of(graphs)
    sizes = Sizes(50, 500, 60)
    batch = store.padded(torch.tensor([0, 1]), sizes)
    kept = batch.node_z
    other = store.padded(torch.tensor([2, 3]), sizes)
    batch.copy_(other)
    assert kept is batch.node_z
    assert torch.equal(batch.sender, other.sender)
    assert batch.to("cpu").sizes == sizes


def test_what_cannot_be_batched(graphs: Graphs) -> None:
    with pytest.raises(InputError, match="float16"):
        DeviceGraphs.of(graphs, dtype=torch.float16)
    with pytest.raises(InputError, match="inputs of shape"):
        DeviceGraphs.of(graphs, inputs=np.zeros((2, 3)))
    store = DeviceGraphs.of(graphs)
    assert store.batch([]).n_graphs == 0
    for places in ([graphs.n], [-1]):
        with pytest.raises(IndexError):
            store.batch(places)


@only_long
def test_to_data_and_back(graphs: Graphs) -> None:
    pytest.importorskip("torch_geometric")
    from ml.graphs.data import from_data, to_data

    data = to_data(graphs, 2)
    assert data.num_nodes == len(graphs.take([2]).node_z)
    assert data.validate()
    back = from_data(data, graphs.settings)
    expected = graphs.take([2])
    for name in ("sha256s", "n_atoms", "node_z", "node_weight", "edge_sender", "edge_receiver", "edge_weight"):
        np.testing.assert_array_equal(getattr(back, name), getattr(expected, name))
    np.testing.assert_array_equal(back.distance_angstrom[back.edge_distance],
                                  expected.distance_angstrom[expected.edge_distance])
    del data.node_weight
    with pytest.raises(InputError, match="node_weight"):
        from_data(data, graphs.settings)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_captured_batches_follow_their_places(graphs: Graphs) -> None:
    store = DeviceGraphs.of(graphs, "cuda")
    assert store.resident
    places = torch.tensor([0, 1, 2], device="cuda")
    sizes = Sizes(64, 512, 128)
    with torch.cuda.stream(torch.cuda.Stream()):
        store.padded(places, sizes)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        batch = store.padded(places, sizes)
    for wanted in ([3, 3, 0], [4, 2, 1]):
        places.copy_(torch.tensor(wanted))
        graph.replay()
        expected = DeviceGraphs.of(graphs).padded(torch.tensor(wanted), sizes)
        for name in (*NODES, *EDGES, "distance"):
            assert torch.equal(getattr(batch, name).cpu(), getattr(expected, name)), name
