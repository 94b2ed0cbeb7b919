"""Candidates trained together: each as if it were alone, whoever else is there and whatever happens in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_training import Crystals, Sums
from torch import Tensor

from lake.errors import InputError, TrainingError
from ml.models import ModelSettings, build
from ml.training import TrainSettings
from ml.training.loop import fit
from ml.training.predict import predict
from ml.training.stack import fit_stack
from ml.training.stack_members import build_stack, taken
from ml.training.stack_result import Candidate, Stacked

CRYSTALS = Crystals.some()
TARGETS = CRYSTALS.targets()
TRAIN, VALIDATION = np.arange(40), np.arange(40, 60)
SETTINGS = TrainSettings(steps=40, batch_size=8, clip=0.5, evaluate_every=10, threads=1, checkpoint_seconds=0.0,
                         schedule="exponential", decay_steps=10, seed=5)
CANDIDATES = (Candidate(0.01, seed=5), Candidate(0.03, decay=0.5, seed=2), Candidate(0.02, schedule="cosine", seed=9),
              Candidate(0.005, decay=0.9, dropout=0.3, seed=3))


class Dropping(Sums):
    """Its dropout is as the networks' layers have it."""

    def __init__(self, seeds: Sequence[int], share: float = 0.3) -> None:
        super().__init__(len(seeds), dropout=share)
        self.dropout = share
        for parameter in (self.a, self.b):
            parameter.data = torch.cat([dict(Sums(seed=seed).named_parameters())[name].data for seed in seeds
                                        for name, one in self.named_parameters() if one is parameter])

    def forward(self, batch: object) -> Tensor:
        from ml.models.layers import dropped

        hidden = torch.nn.functional.silu(batch.x @ self.a)  # type: ignore[attr-defined]
        if self.dropout and self.training:
            hidden = dropped(hidden, self.dropout)
        nodes = (hidden @ self.b).squeeze(-1)
        return nodes.new_zeros(len(nodes), batch.n_graphs).index_add_(1, batch.graph, nodes)  # type: ignore


def stacked(candidates: Sequence[Candidate] = CANDIDATES, settings: TrainSettings = SETTINGS,
            **more: object) -> Stacked:
    arguments: dict = {"until": settings.steps, "targets": TARGETS, "graphs": CRYSTALS} | more
    network = arguments.pop("network", None) or Dropping([one.seed for one in candidates])
    return fit_stack(network, train=TRAIN, validation=VALIDATION, settings=settings, candidates=candidates, **arguments)


def assert_same(one: Stacked, other: Stacked, rel: float = 0.0) -> None:
    for a, b in zip(one.members, other.members, strict=True):
        assert (a.best_step, a.stopped, a.steps) == (b.best_step, b.stopped, b.steps)
        for p, q in zip(a.curve, b.curve, strict=True):
            for value in ("step", "train_loss", "train_mae", "validation_mae", "validation_rmse", "learning_rate"):
                assert getattr(p, value) == pytest.approx(getattr(q, value), rel=rel, abs=0.0), value
        for name, value in a.weights.items():
            torch.testing.assert_close(value, b.weights[name], rtol=rel, atol=rel)


@pytest.fixture(scope="module")
def whole() -> Stacked:
    return stacked()


def test_each_is_what_fit_gives_for_it_alone_bit_for_bit(whole: Stacked) -> None:
    candidate, member = CANDIDATES[0], whole.members[0]
    alone = fit(Sums(seed=candidate.seed), CRYSTALS, TARGETS, TRAIN, VALIDATION, candidate.settings(SETTINGS))
    assert all(torch.equal(one, member.weights[name]) for name, one in alone.weights.items())
    assert [replace(one, seconds=0.0) for one in alone.curve] == [replace(one, seconds=0.0) for one in member.curve]
    assert (alone.best_step, alone.stopped) == (member.best_step, member.stopped)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
@pytest.mark.parametrize("width", [2, 4])
def test_wide_passes_say_the_same_up_to_rounding(width: int, optimizer: str) -> None:
    settings = replace(SETTINGS, optimizer=optimizer, weight_decay=0.1, ema=0.9)
    assert_same(stacked(settings=settings), stacked(settings=settings, width=width), rel=2e-4)


def test_who_else_is_there_does_not_matter(whole: Stacked) -> None:
    found = stacked(CANDIDATES[3:1:-1])
    assert_same(replace(found, members=found.members[::-1]), replace(whole, members=whole.members[2:]))


def test_best_weights_stand_alone(whole: Stacked) -> None:
    for member in whole.members:
        network = Dropping([0])
        network.load_state_dict(member.weights)
        said = predict(network, CRYSTALS, VALIDATION, mean=whole.mean, scale=whole.scale)[0]
        assert np.abs(said - TARGETS[VALIDATION]).mean() == pytest.approx(member.best_mae, rel=1e-6)
        assert np.sqrt(((said - TARGETS[VALIDATION])**2).mean()) == pytest.approx(member.best_rmse, rel=1e-6)
        assert member.best_mae == min(point.validation_mae for point in member.curve)


@pytest.mark.parametrize("width", [1, 3])
def test_rungs_with_survivors_give_the_same_numbers(tmp_path: Path, width: int) -> None:
    whole = stacked(width=width)
    first = stacked(until=20, folder=tmp_path, width=width)
    assert first.steps == 20
    assert all(member.stopped is None and len(member.curve) == 2 for member in first.members)
    second = stacked(until=40, keep=[1, 3], folder=tmp_path, width=width)
    assert second.resumed_from == 20
    assert [member.stopped for member in second.members] == ["pruned", "steps", "pruned", "steps"]
    rel = 0.0 if width == 1 else 2e-4
    kept = [replace(one, members=one.members[1::2]) for one in (second, whole)]
    assert_same(*kept, rel=rel)
    assert [member.steps for member in second.members] == [20, 40, 20, 40]
    assert_same(stacked(until=40, keep=[1, 3], folder=tmp_path, width=width), second)
    with pytest.raises(InputError, match="Candidate 0 was taken out after step 20"):
        stacked(keep=[0], folder=tmp_path)


@pytest.mark.parametrize("at", [1, 7, 10, 23])
def test_a_kill_changes_nothing(whole: Stacked, tmp_path: Path, at: int) -> None:
    class Killed(BaseException):
        pass

    def kill(state: object) -> None:
        if state.done >= at:  # type: ignore[attr-defined]
            raise Killed

    with pytest.raises(Killed):
        stacked(folder=tmp_path, progress=kill)
    found = stacked(folder=tmp_path)
    assert_same(found, whole)


def test_a_cut_checkpoint_is_not_used(whole: Stacked, tmp_path: Path) -> None:
    stacked(folder=tmp_path, until=20)
    newest = max(tmp_path.glob("training-*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-10])
    assert_same(stacked(folder=tmp_path), whole)


def test_a_checkpoint_of_other_candidates_is_left_alone(tmp_path: Path) -> None:
    stacked(folder=tmp_path, until=20)
    found = stacked((replace(CANDIDATES[0], learning_rate=0.02), *CANDIDATES[1:]), folder=tmp_path, until=20)
    assert found.resumed_from is None
    assert "of another training" in found.notes[0]


@pytest.mark.parametrize("width", [1, 4])
def test_one_that_fails_harms_no_other(width: int) -> None:
    network = Dropping([one.seed for one in CANDIDATES])
    with torch.no_grad():
        network.a[1, 0, 0] = torch.nan
    found, without = stacked(network=network, width=width), stacked(width=width)
    bad = found.members[1]
    assert bad.stopped == "failed"
    assert "The loss is no number at step 0" in str(bad.failed)
    assert not bad.weights
    others = [replace(one, members=one.members[:1] + one.members[2:]) for one in (found, without)]
    assert_same(*others, rel=0.0 if width == 1 else 2e-4)


def test_all_may_fail() -> None:
    network = Dropping([one.seed for one in CANDIDATES])
    with torch.no_grad():
        network.b.fill_(torch.inf)
    assert [member.stopped for member in stacked(network=network).members] == ["failed"] * 4


def test_where_memory_is_short_the_stack_is_split_before_the_batch() -> None:
    class Small(Dropping):
        def forward(self, batch: object) -> Tensor:
            if len(self.a) > 1 and self.training:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().forward(batch)

    found = stacked(network=Small([one.seed for one in CANDIDATES]), width=4)
    assert_same(found, stacked())
    assert len(found.notes) == 3
    assert "with 4 candidates at once: they are trained 2 and 2 at a time" in found.notes[0]


def test_patience_is_of_each() -> None:
    found = stacked((Candidate(1e-7), Candidate(0.01)), replace(SETTINGS, patience=10, ema=0.0), width=2,
                    targets=np.where(np.arange(60) < 40, TARGETS, -TARGETS))
    for member in found.members:
        assert member.stopped == ("patience" if member.steps < 40 or member.steps - member.best_step >= 10 else "steps")


def test_a_stack_is_built_from_the_seeds_of_its_candidates() -> None:
    form = ModelSettings("mpeu", (1, 8), channels=8, steps=2)
    network = build_stack(form, CANDIDATES)
    assert (network.settings.n_members, network.settings.dropout) == (4, 0.3)
    for place, candidate in enumerate(CANDIDATES):
        alone = build(replace(form, dropout=0.3), seed=candidate.seed)
        part = taken(network, [place])
        assert part.settings == alone.settings
        assert all(torch.equal(one, alone.state_dict()[name]) for name, one in part.state_dict().items())


@pytest.mark.parametrize(("more", "message"), [
    ({"until": 41}, "up to step 41"), ({"keep": [4]}, "Candidates to keep"), ({"width": 0}, "0 candidates in one"),
    ({"candidates": CANDIDATES[:2], "network": Dropping([1])}, "2 candidates do not fit a network of 1"),
    ({"network": Dropping([1, 2, 3, 4], 0.0)}, "built without dropout"),
])
def test_what_does_not_fit_is_refused(more: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        stacked(**more)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be written"):
        stacked(folder=tmp_path / "file" / "folder")


def test_a_kill_after_one_failed_changes_no_bit_of_wide_passes(tmp_path: Path) -> None:
    def broken() -> Dropping:
        network = Dropping([one.seed for one in CANDIDATES])
        with torch.no_grad():
            network.a[0, 0, 0] = torch.nan
        return network

    whole = stacked(network=broken(), width=2)
    stacked(network=broken(), width=2, folder=tmp_path, until=20)
    assert_same(stacked(network=broken(), width=2, folder=tmp_path), whole)
