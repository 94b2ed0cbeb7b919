"""What training costs: the paper's figures, times of real steps, memory, and crystals where there is no lake."""

import math

import numpy as np
import pyarrow as pa
import pytest
import torch
from model_crystals import crystals
from training_lakes import fill, rock_salt

from lake.errors import InputError, SettingsError
from lake.store.lake import Lake
from ml.graphs.build import graphs_of
from ml.graphs.settings import GraphSettings
from ml.models import InputSizes, ModelSettings
from ml.profile import timing
from ml.profile.costs import Plan, cost_of
from ml.profile.crystals import PROTOTYPES, crystals_of, made_up
from ml.profile.run import SCHEMA, Asked, priced, profile

ELEMENTS = tuple(range(1, 119))


def test_the_papers_figures() -> None:
    cost = cost_of(3.3, Plan(2_000_000, 2_000, 2.5))
    assert cost.hours == pytest.approx(1.8333, abs=1e-4)
    assert cost.all_hours == pytest.approx(3666.7, abs=0.1)
    assert (cost.price, cost.all_price) == (pytest.approx(4.583, abs=1e-3), pytest.approx(9166.7, abs=0.1))
    # Ten trained together, the last time only five of them.
    assert cost_of(3.3, Plan(2_000_000, 25), 10).all_hours == pytest.approx(3 * 1.8333, abs=1e-3)
    assert cost_of(3.3, Plan()).all_price is None
    assert priced(3.3, Plan(2_000_000, 2_000)).to_pylist() == [{
        "step_ms": 3.3, "n_members": 1, "training_steps": 2_000_000, "hours": pytest.approx(1.8333, abs=1e-4),
        "price": None, "candidates": 2_000, "all_hours": pytest.approx(3666.7, abs=0.1), "all_price": None,
    }]


@pytest.mark.parametrize("bad", [{"training_steps": 0}, {"candidates": -1}, {"candidates": 1.5},
                                 {"price_per_hour": math.nan}, {"price_per_hour": -1.0}])
def test_plans_that_are_none(bad: dict) -> None:
    with pytest.raises(SettingsError):
        Plan(**bad)


@pytest.mark.parametrize("step_ms", [0.0, -1.0, math.nan, math.inf])
def test_times_that_are_none(step_ms: float) -> None:
    with pytest.raises(SettingsError, match="above 0"):
        cost_of(step_ms, Plan())


def test_every_combination_is_a_row() -> None:
    told: list[str] = []
    asked = Asked(("schnet", "painn"), (2, 8), ("cpu",), channels=8, message_steps=1, n_members=2, n_neighbours=6,
                  seconds=0.01, threads=1)
    found = profile(made_up(12), asked, Plan(1_000, 4, 3.6), told.append)
    assert found.schema == SCHEMA
    rows = found.to_pylist()
    assert [(row["model"], row["batch_size"]) for row in rows] == [("schnet", 2), ("schnet", 8), ("painn", 2),
                                                                   ("painn", 8)]
    for row in rows:
        assert 0 < row["batching_ms"] < row["step_ms"]
        assert row["gradient_ms"] == pytest.approx(row["step_ms"] - row["batching_ms"])
        assert row["steps_per_s"] * row["step_ms"] == pytest.approx(1e3)
        assert row["crystals_per_s"] == pytest.approx(row["steps_per_s"] * row["batch_size"])
        assert row["hours"] == pytest.approx(1_000 * row["step_ms"] / 3.6e6)
        assert row["all_hours"] == pytest.approx(2 * row["hours"])  # four candidates, two at a time
        assert row["all_price"] == pytest.approx(3.6 * row["all_hours"])
        assert row["device"].endswith("1 thread")
        assert row["captured"] is False
    assert rows[1]["memory_mb"] > rows[0]["memory_mb"]
    assert rows[3]["memory_mb"] > rows[1]["memory_mb"]
    assert rows[2]["nodes"] > rows[0]["nodes"]
    assert any("full graphs" in text for text in told)


def test_what_cannot_be_timed_is_said_before() -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError

    rows = made_up(3)
    for asked, error in ((Asked(batch_sizes=(4,)), InputError), (Asked(batch_sizes=(0,)), InputError),
                         (Asked(models=("gnome",)), InputError), (Asked(channels=0), InputError),
                         (Asked(devices=("tpu",)), SettingsError)):
        with pytest.raises(error):
            profile(rows, asked, Plan(), never)


def test_the_timed_steps_are_those_of_training() -> None:
    graphs = graphs_of(made_up(8), GraphSettings(n_neighbours=6))
    timed = timing.Timed(ModelSettings("schnet", ELEMENTS, channels=8, steps=1, inputs=InputSizes((2,), 1)), graphs, 4,
                         torch.device("cpu"))
    before = [one.detach().clone() for one in timed.learner.parameters]
    timed.batching(3)
    assert all(torch.equal(a, b) for a, b in zip(before, timed.learner.parameters, strict=True))
    timed.run(3)
    assert (timed.done, timed.captured) == (3, False)
    assert {int(count) for count in timed.learner.counts} == {3}
    assert not any(torch.equal(a, b) for a, b in zip(before[:1], timed.learner.parameters[:1], strict=True))


def test_a_median_is_of_repetitions(monkeypatch: pytest.MonkeyPatch) -> None:
    now, done = [0.0], []

    def run(n: int) -> None:
        done.append(n)
        # One repetition is slowed down by something else.
        now[0] += n * (0.5 if len(done) == 4 else 0.002)

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    assert timing.median_ms(run, 1.0) == pytest.approx(2.0)
    assert done == [2, 2, 100, 100, 100, 100, 100]


def test_memory_counts_what_the_backward_pass_needs() -> None:
    graphs = graphs_of(crystals()[:4], GraphSettings(n_neighbours=6))

    def kept(**form: object) -> int:
        timed = timing.Timed(ModelSettings("mpeu", ELEMENTS, **({"channels": 16, "steps": 2} | form)), graphs, 4,
                             torch.device("cpu"))
        return timing.kept_bytes(timed.network, timed.graphs.batch(torch.arange(4)))

    n_edges = int(graphs.edge_offsets[-1])
    # At least the edges before and after each of the activations, two steps.
    assert kept() > 2 * n_edges * (2 * 32 + 2 * 16 + 2 * 16) * 4 / 2
    assert 1.8 * kept() < kept(n_members=2) * 1.0 < 2.2 * kept()
    assert kept(steps=4) > 1.7 * kept()


def test_made_up_crystals_are_crystals_and_differ() -> None:
    rows = made_up(40)
    assert rows.equals(made_up(40))
    assert not rows.equals(made_up(40, seed=1))
    full, quotient = (graphs_of(rows, GraphSettings(kind=kind)) for kind in ("full", "quotient"))
    assert 1.5 < full.node_offsets[-1] / quotient.node_offsets[-1] < 6
    volumes = [abs(np.linalg.det(np.array(row["lattice_vectors_angstrom"]))) / len(row["species_at_sites"])
               for row in rows.to_pylist()]
    assert min(volumes) > 8
    assert max(volumes) < 30
    for _, positions, kinds in PROTOTYPES:
        assert len(positions) == len(kinds)
        assert set(kinds) == set(range(max(kinds) + 1))


def test_a_lakes_crystals_are_those_that_can_be_used(lake: Lake) -> None:
    assert crystals_of(lake, 5).num_rows == 0
    good = [rock_salt("mp", "Na", "Cl", 4.0 + n / 10) for n in range(6)]
    bad = [
        rock_salt("mp", "K", "Cl", name="none", lattice_vectors_angstrom=None),
        rock_salt("mp", "K", "Cl", name="same", fractional_positions=[[0.0] * 3, [0.0] * 3]),
        rock_salt("mp", "K", "Cl", name="flat", lattice_vectors_angstrom=[[1.0, 0, 0], [2.0, 0, 0], [0, 0, 1.0]]),
        rock_salt("mp", "K", "Cl", name="what", species_at_sites=["K", "Xx"]),
    ]
    fill(lake, good + bad)
    found = crystals_of(lake, 100)
    assert found.num_rows == 6
    assert isinstance(found, pa.Table)
    assert crystals_of(lake, 100).equals(found)
    assert crystals_of(lake, 2).num_rows <= 2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with CUDA, and PyTorch built for it")
def test_steps_on_a_gpu_are_captured_and_timed() -> None:
    graphs = graphs_of(made_up(64), GraphSettings())
    found = timing.measure(ModelSettings("schnet", ELEMENTS), graphs, 32, torch.device("cuda", 0), seconds=0.5)
    assert found.captured
    assert 0 < found.batching_ms < found.step_ms < 5
    assert found.memory_mb > 1
