"""What follows gradients: Adam as its papers have it, averages of weights, clipping; and the order of a recording."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from tiny_training import Crystals, Sums

from ml.training import TrainSettings
from ml.training.learner import Learner
from ml.training.recording import WARM_UP, GraphRecorder

BATCH = Crystals.some().batch(torch.arange(12))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def gradients(network: Sums, target: torch.Tensor) -> None:
    network.zero_grad()
    (network(BATCH) - target).square().sum().backward()


@pytest.mark.parametrize("settings", [
    {}, {"weight_decay": 0.1}, {"optimizer": "adamw", "weight_decay": 0.1}, {"clip": 0.3},
])
def test_updates_are_those_of_the_papers_on_adam(settings: dict[str, Any]) -> None:
    """Written out: Kingma and Ba, algorithm 1; Loshchilov and Hutter, algorithm 2."""
    network = Sums()
    learner = Learner(network, TrainSettings(**{"clip": None} | settings))
    decay, decoupled = settings.get("weight_decay", 0.0), "optimizer" in settings
    weights = [one.detach().double().numpy().copy() for one in network.parameters()]
    first, second = [np.zeros_like(one) for one in weights], [np.zeros_like(one) for one in weights]
    for step in range(1, 9):
        rate = 0.01 / step
        gradients(network, torch.full((12,), float(step)))
        found = [one.grad.double().numpy().copy() for one in network.parameters() if one.grad is not None]
        if "clip" in settings:
            norm = np.sqrt(sum((one**2).sum() for one in found))
            assert norm > settings["clip"]
            found = [one * settings["clip"] / norm for one in found]
        for place, gradient in enumerate(found):
            if decoupled:
                weights[place] *= 1 - rate * decay
            else:
                gradient = gradient + decay * weights[place]
            first[place] = 0.9 * first[place] + 0.1 * gradient
            second[place] = 0.999 * second[place] + 0.001 * gradient**2
            slope = np.sqrt(second[place] / (1 - 0.999**step)) + 1e-8
            weights[place] -= rate * first[place] / (1 - 0.9**step) / slope
        learner.update(rate if step % 2 else torch.tensor(rate))
    for one, wanted in zip(network.parameters(), weights, strict=True):
        np.testing.assert_allclose(one.detach().numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_the_average_is_the_weighted_mean_of_all_weights_so_far() -> None:
    network = Sums()
    learner = Learner(network, TrainSettings(ema=0.9))
    seen = []
    for step in range(7):
        gradients(network, torch.full((12,), float(step)))
        learner.update(0.05)
        seen.append(network.a.detach().clone())
    shares = torch.tensor([0.9 ** (6 - step) for step in range(7)])
    wanted = (torch.stack(seen) * (shares / shares.sum()).view(-1, 1, 1, 1)).sum(dim=0)
    network.train()
    with learner.evaluated(7):
        assert not network.training
        torch.testing.assert_close(network.a.detach(), wanted)
    assert network.training
    assert torch.equal(network.a, seen[-1])


def test_weights_come_back_when_an_evaluation_fails() -> None:
    network = Sums()
    learner = Learner(network, TrainSettings(ema=0.9))
    gradients(network, torch.ones(12))
    learner.update(0.05)
    gradients(network, torch.ones(12))
    learner.update(0.05)
    before = network.a.detach().clone()
    with pytest.raises(ZeroDivisionError), learner.evaluated(2):
        1 / 0  # noqa: B018
    assert torch.equal(network.a, before)


def test_a_recording_practises_first_and_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls to CUDA are played; that they record is for the tests on a GPU."""
    events: list[str] = []

    @contextmanager
    def during(name: str, *_: Any) -> Any:
        events.append(f"{name} begins")
        yield
        events.append(f"{name} ends")

    class Graph:
        def replay(self) -> None:
            events.append("replay")

    class Stream:
        def wait_stream(self, _: Any) -> None:
            events.append("waits")

    for name, played in {
        "CUDAGraph": Graph, "Stream": lambda _: Stream(), "current_stream": lambda _: Stream(),
        "stream": lambda _: during("stream"), "graph": lambda *given: during(f"graph of {len(given)}"),
        "synchronize": lambda _: events.append("synchronize"), "device": lambda _: during("device"),
        "graph_pool_handle": lambda: "memory",
    }.items():
        monkeypatch.setattr(torch.cuda, name, played)
    value = torch.tensor(5.0)

    def body() -> None:
        value.add_(1)
        events.append("body")

    again = GraphRecorder()(body, [value])
    assert value.item() == 5.0
    assert events == ["device begins", "waits", "stream begins", *["body"] * WARM_UP, "stream ends", "waits",
                      "graph of 3 begins", "body", "graph of 3 ends", "synchronize", "device ends"]
    again()
    assert events[-1] == "replay"

    def fails() -> None:
        value.add_(1)
        raise RuntimeError("not permitted")

    with pytest.raises(RuntimeError, match="not permitted"):
        GraphRecorder()(fails, [value])
    assert value.item() == 5.0
