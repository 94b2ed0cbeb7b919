"""PaiNN: what turns with the crystal, what does not, and which way messages go."""

import numpy as np
import pytest
import torch
from model_crystals import batch_of, crystals, network, rotation, turned

from ml.graphs.batch import Batch
from ml.models.ops import gather
from ml.models.painn import PaiNN, clipped, cosine_cutoff


def painn(**form: object) -> PaiNN:
    one = network("painn", **form)
    assert isinstance(one, PaiNN)
    return one


def inside(one: PaiNN, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    return one.scalars_and_vectors(gather(one.start[0], one.element_place[batch.node_z]), batch)


def test_vectors_turn_with_the_crystal_and_scalars_do_not() -> None:
    some, one, turn = crystals()[:6], painn(), rotation(4)
    scalars, vectors = inside(one, batch_of(some, "full"))
    of_turned, vectors_of_turned = inside(one, batch_of([turned(c, turn) for c in some], "full"))
    torch.testing.assert_close(of_turned, scalars, atol=1e-5, rtol=0)
    expected = torch.einsum("ij,njc->nic", torch.from_numpy(turn), vectors)
    torch.testing.assert_close(vectors_of_turned, expected, atol=1e-5, rtol=0)
    assert float(vectors.detach().norm(dim=1).max()) > 1e-2


def lonely_pair(z: tuple[int, int], vector: tuple[float, float, float]) -> Batch:
    """Node 0 sends to node 1, and nothing comes back."""
    at = torch.tensor([vector], dtype=torch.float64)
    zero, one = torch.tensor([0]), torch.ones(1, dtype=torch.float64)
    return Batch(2, torch.tensor(z), torch.ones(2, dtype=torch.float64), torch.tensor([0, 1]),
                 torch.tensor([0.0, 1.0], dtype=torch.float64), zero, zero + 1, one, zero, at.norm(dim=1), at)


def test_messages_go_from_sender_to_receiver() -> None:
    one = painn(steps=1)
    scalars, vectors = inside(one, lonely_pair((8, 12), (0.0, 0.0, 2.0)))
    other_sender, _ = inside(one, lonely_pair((16, 12), (0.0, 0.0, 2.0)))
    other_receiver, _ = inside(one, lonely_pair((8, 20), (0.0, 0.0, 2.0)))
    assert not torch.allclose(scalars[1], other_sender[1])
    assert torch.equal(scalars[0], other_receiver[0])
    assert torch.equal(vectors[0], torch.zeros(3, 8, dtype=torch.float64))
    assert torch.equal(vectors[1][:2], torch.zeros(2, 8, dtype=torch.float64))
    assert float(vectors[1][2].abs().min()) > 0
    _, back = inside(one, lonely_pair((8, 12), (0.0, 0.0, -2.0)))
    torch.testing.assert_close(back[1], -vectors[1])


def test_beyond_the_cutoff_nothing_is_heard() -> None:
    one = painn(steps=1, cutoff_angstrom=3.0)
    near, far, farther = (inside(one, lonely_pair((8, 12), (d, 0.0, 0.0)))[0][1] for d in (2.99999, 3.0, 5.0))
    torch.testing.assert_close(near, far, atol=1e-6, rtol=0)
    assert torch.equal(far, farther)
    distance = np.array([0.0, 1.0, 2.9])
    expected = 0.5 * (np.cos(np.pi * distance / 3) + 1)
    np.testing.assert_allclose(cosine_cutoff(torch.from_numpy(distance), 3.0), expected, atol=1e-12)


def test_long_vectors_are_cut_without_being_turned() -> None:
    vectors = torch.tensor([[[300.0, 3.0], [400.0, 4.0], [0.0, 0.0]]], dtype=torch.float64, requires_grad=True)
    cut = clipped(vectors)
    assert cut[0, :, 0].tolist() == pytest.approx([60.0, 80.0, 0.0])
    assert cut[0, :, 1].tolist() == [3.0, 4.0, 0.0]
    clipped(vectors * 0).sum().backward()
    assert bool(torch.isfinite(vectors.grad).all())


def test_quotient_graphs_are_refused() -> None:
    with pytest.raises(ValueError, match="full graphs"):
        painn()(batch_of(crystals()[:1], "quotient"))
