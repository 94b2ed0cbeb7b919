"""Complexity numbers against counts by hand, each written from what the model is, not from its code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lake.errors import InputError
from ml.complexity import Coefficients, Counts, class_of
from ml.complexity.forests import depths, forest_counts, nodes_by_depth
from ml.complexity.formulas import expansion_counts, formula_counts
from ml.complexity.networks import ensemble_counts, network_counts
from ml.complexity.sizes import perceptron_parameters, settings_for
from ml.tabular.trees import LEAF, Trees

C, RBF, ELEMENTS = 4, 5, (1, 8, 26)


def counts(kind: str, **more: Any) -> Counts:
    """Counts of a network that was built, from its weights as they would be stored."""
    from ml.models import build
    from ml.models.settings import ModelSettings

    form = ModelSettings(kind, ELEMENTS, channels=C, n_rbf=RBF, **more)
    return network_counts({name: one.numpy() for name, one in build(form).state_dict().items()})


def split(found: Counts) -> tuple[int, int, int]:
    return found.n_additive, found.n_linear, found.n_nonlinear


def test_schnet_by_hand() -> None:
    # Embedding; by step F1 (Gaussians → C), F2, A, U1, U2 (C → C each); readout C → C/2 → 1. Nothing adds a constant.
    steps = 2
    by_hand = 3 * C + steps * (RBF * C + 4 * C * C) + (C * C // 2 + C // 2)
    found = counts("schnet", steps=steps)
    assert (found.n_parameters, found.n_weights, found.n_biases) == (by_hand, by_hand, 0)
    assert split(found) == (0, C // 2, by_hand - C // 2)
    assert by_hand == 12 + 2 * (20 + 64) + 10


def test_mpeu_by_hand() -> None:
    # By step E1 (two nodes and the edge → 2C), E2 (2C → C), M1, M2, A, U1, U2 (C → C); the first edge is its Gaussians.
    first, second = (2 * C + RBF) * 2 * C, (2 * C + C) * 2 * C
    by_hand = 3 * C + first + second + 2 * (2 * C * C + 5 * C * C) + (C * C // 2 + C // 2)
    found = counts("mpeu", steps=2)
    assert split(found) == (0, C // 2, by_hand - C // 2)
    assert by_hand == 12 + 104 + 96 + 224 + 10


def test_painn_by_hand() -> None:
    # Message: filters Gaussians → 3C and nodes C → C → 3C with constants; update: mixing C → 2C without, nodes
    # 2C → C → 3C with constants; readout C → C/2 → 1 without.
    weights = 3 * C + RBF * 3 * C + (C * C + C * 3 * C) + C * 2 * C + (2 * C * C + C * 3 * C) + (C * C // 2 + C // 2)
    biases = 3 * C + (C + 3 * C) + (C + 3 * C)
    found = counts("painn", steps=1)
    assert (found.n_weights, found.n_biases) == (weights, biases) == (258, 44)
    assert split(found) == (biases, C // 2, weights - C // 2)


def test_the_paper_s_networks_have_the_parameters_that_it_gives() -> None:
    elements = tuple(range(1, 82))
    for kind, about in (("schnet", 85_000), ("mpeu", 178_000)):
        assert abs(settings_for(kind, about, elements=elements).settings["channels"] - 64) <= 1


def test_layers_after_pooling_norms_settings_and_members_are_counted() -> None:
    from ml.models.settings import InputSizes

    plain = counts("schnet", steps=1)
    pooled = counts("schnet", steps=1, global_readout=2)
    # Before pooling C → C → C in the place of C → C/2 → 1, after it C → C/2 → 1.
    assert pooled.n_parameters - plain.n_parameters == 2 * C * C
    assert pooled.n_linear == C // 2
    normed = counts("schnet", steps=1, norm=True)
    assert (normed.n_additive, normed.n_nonlinear - plain.n_nonlinear) == (C, C)
    given = counts("schnet", steps=1, inputs=InputSizes((3,), 1))
    # Embeddings of 3 values and of a number with its flag, scale and shift; 3 values × 3 elements added at the end.
    assert given.n_nonlinear - plain.n_nonlinear == 3 * C + 2 * C + C * 2 * C
    assert given.n_linear - plain.n_linear == 3 * 3
    assert split(counts("schnet", steps=1, n_members=3)) == tuple(3 * n for n in split(plain))


def test_networks_that_answer_together_add_up() -> None:
    from ml.models import build
    from ml.models.settings import ModelSettings

    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for number, kind in enumerate(("schnet", "painn")):
        form = ModelSettings(kind, ELEMENTS, channels=C, n_rbf=RBF, steps=1)
        arrays |= {f"{number}.{name}": one.numpy() for name, one in build(form).state_dict().items()}
    one, other = counts("schnet", steps=1), counts("painn", steps=1)
    assert ensemble_counts(arrays) == Counts.sum([one, other])
    assert ensemble_counts(arrays).n_linear == C
    with pytest.raises(InputError, match="readout"):
        ensemble_counts({"0.start": arrays["0.start"]})


def test_a_perceptron_by_hand() -> None:
    from ml.tabular.mlp import Mlp, MlpSettings

    network = Mlp(MlpSettings(3, (4, 2)))
    found = network_counts({name: one.numpy() for name, one in network.state_dict().items()})
    assert (found.n_weights, found.n_biases) == (3 * 4 + 4 * 2 + 2, 4 + 2 + 1)
    assert split(found) == (7, 2, 20)
    assert perceptron_parameters(3, (4, 2)) == found.n_parameters == 29


def hand_made() -> Trees:
    """x₀ ≤ 1? (x₁ ≤ 2? 5 : 6) : 7, and a tree that says 8."""
    return Trees(np.array([0, 5, 6]), np.array([4, 3, 0, 0, 0, 0], np.int32),
                 np.array([0, 1, LEAF, LEAF, LEAF, LEAF], np.int16), np.array([1.0, 2.0, 5.0, 6.0, 7.0, 8.0]))


def test_a_forest_by_hand() -> None:
    trees = hand_made()
    np.testing.assert_array_equal(trees.predict(np.array([[0, 3], [2, 0]], np.float32)), [[6, 7], [8, 8]])
    found = forest_counts(trees)
    assert (found.n_trees, found.n_leaves) == (2, 4)
    assert split(found) == (4, 0, 2)
    assert depths(trees).tolist() == [0, 1, 2, 2, 1, 0]
    assert nodes_by_depth(trees).tolist() == [1.0, 2.0, 3.0]


def test_formulas_and_expansions_by_hand() -> None:
    found = formula_counts(2, rung=2, n_operators=5, n_tasks=3)
    assert (split(found), found.rung, found.dimension, found.n_operators) == ((3, 6, 0), 2, 2, 5)
    terms = expansion_counts([1, 1, 2, 3, 3, 3], n_constants=2)
    assert (split(terms), terms.terms_by_degree) == ((2, 6, 0), {1: 2, 2: 1, 3: 3})
    assert expansion_counts([]).n_parameters == 1
    with pytest.raises(InputError, match="degree 0"):
        expansion_counts([1, 0])


def test_c_weighs_what_adds_what_is_linear_and_what_is_not() -> None:
    of = Counts(n_additive=7, n_linear=5, n_nonlinear=3)
    assert Coefficients().of(of) == 15
    assert Coefficients(1, 10, 100).of(of) == 357
    wrong: list[dict[str, Any]] = [{"a": -1.0}, {"b": float("nan")}, {"c": float("inf")}, {"a": True},
                                   {"a": 0, "b": 0, "c": 0}]
    for bad in wrong:
        with pytest.raises(InputError, match="a·A"):
            Coefficients(**bad)
    with pytest.raises(InputError, match="no measure"):
        class_of("oracle")


def test_counts_of_several_models_add_up() -> None:
    both = Counts.sum([formula_counts(2, rung=1, n_operators=3), formula_counts(3, rung=2, n_operators=4),
                       expansion_counts([1, 2])])
    assert (split(both), both.rung, both.dimension, both.n_operators) == ((3, 7, 0), 2, 5, 7)
    assert both.terms_by_degree == {1: 1, 2: 1}
    assert both.n_weights is None


@pytest.mark.parametrize("wanted", [100, 1_000, 30_000])
def test_settings_give_a_perceptron_the_parameters_that_were_asked_for(wanted: int) -> None:
    sized = settings_for("mlp", wanted, n_features=10)
    hidden = sized.settings["hidden"]
    assert perceptron_parameters(10, hidden) == sized.n_parameters
    assert sized.matches
    for other in (hidden[0] - 1, hidden[0] + 1):
        assert abs(perceptron_parameters(10, [other] * 2) - wanted) >= abs(sized.n_parameters - wanted)


def test_settings_of_forests_and_formulas() -> None:
    nodes = [1.0, 3.0, 7.0, 15.0, 20.0]
    assert settings_for("forest", 450, tree_nodes=nodes).settings == {"n_estimators": 30, "max_depth": 3}
    assert settings_for("forest", 2_000, tree_nodes=nodes).settings == {"n_estimators": 100}
    assert settings_for("sisso", 4).settings == {"dimension": 3}
    assert settings_for("expansion", 11).settings == {"n_features": 10}
    assert not settings_for("mlp", 20, n_features=100).matches
    bad: list[tuple[str, dict[str, Any]]] = [("mlp", {}), ("schnet", {}), ("forest", {}), ("ensemble", {}),
                                             ("forest", {"tree_nodes": [3, 1]})]
    for kind, more in bad:
        with pytest.raises(InputError):
            settings_for(kind, 100, **more)
    with pytest.raises(InputError, match="whole number"):
        settings_for("mlp", 0, n_features=3)
