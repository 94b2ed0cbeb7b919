"""The compiled operations against plain ones: values and gradients."""

import math

import pytest
import torch

from ml.models import ops
from ml.models.gaussians import Gaussians
from ml.models.layers import Seeds


def edges(n: int = 7, e: int = 40, d: int = 11) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    receiver = torch.randint(n, (e,), generator=generator).sort().values
    return (torch.randint(n, (e,), generator=generator), receiver, torch.randint(d, (e,), generator=generator),
            torch.rand(e, generator=generator, dtype=torch.float64))


@pytest.mark.parametrize("members", [(), (3,)])
def test_messages_and_joins_have_the_gradients_of_plain_operations(
    members: tuple[int, ...], monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    sender, receiver, place, weight = edges()
    shapes = ((*members, 7, 5), (*members, 11, 5), (*members, 7, 5))
    nodes, filters, more = (torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes)
    results = []
    for plain in (False, True):
        if plain:
            monkeypatch.setattr(ops, "compiled", lambda _: False)
        sent = ops.send(nodes, filters, sender, receiver, place, weight)
        joined = ops.join(filters, place, nodes, more, sender, receiver)
        total = (sent.square().sum() + joined.pow(3).sum())
        results.append((sent, joined, *torch.autograd.grad(total, (nodes, filters, more))))
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-12, rtol=1e-12)


def test_no_edges_is_no_message() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    nodes = torch.ones(3, 4, requires_grad=True)
    sent = ops.send(nodes, torch.ones(0, 4), none, none, none, torch.zeros(0))
    sent.sum().backward()
    assert torch.equal(sent, torch.zeros(3, 4))
    assert torch.equal(nodes.grad, torch.zeros(3, 4))
    assert ops.join(torch.ones(0, 4), none, nodes, nodes, none, none).shape == (0, 4)


def test_ssp_is_as_exact_as_single_precision_allows() -> None:
    x = torch.cat([torch.linspace(-120, 120, 200_003), torch.linspace(-1e-3, 1e-3, 1001)]).requires_grad_()
    y = ops.ssp(x)
    y.sum().backward()
    wide = x.detach().double()
    expected = torch.logaddexp(wide, torch.zeros(())) - math.log(2)
    assert float(((y.detach() - expected).abs() / (expected.abs() + 1)).max()) < 3e-7
    assert float((x.grad - torch.sigmoid(wide)).abs().max()) < 2e-7
    ends = ops.ssp(torch.tensor([math.nan, math.inf, -math.inf, 0.0]))
    assert math.isnan(ends[0])
    assert ends[1] == math.inf
    assert ends[2] == pytest.approx(-math.log(2))
    assert abs(float(ends[3])) < 1e-7


@pytest.mark.parametrize("layout", ["transposed", "with gaps", "empty", "shared"])
def test_ssp_takes_any_layout_in_memory(layout: str) -> None:
    whole = torch.randn(4, 6, 10)
    x = {"transposed": whole.transpose(0, 1), "with gaps": whole[:, ::2, 1:7], "empty": whole[:0],
         "shared": whole[:1].expand(4, 6, 10)}[layout].requires_grad_()
    y = ops.ssp(x)
    torch.testing.assert_close(y, torch.nn.functional.softplus(x) - math.log(2), atol=1e-6, rtol=1e-6)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(slope, torch.sigmoid(x.detach()), atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gaussians_are_their_formula_and_the_window_leaves_out_zeros_only(dtype: torch.dtype) -> None:
    gaussians = Gaussians(150)
    distance = torch.cat([torch.rand(50, generator=torch.Generator().manual_seed(2)) * 4 + 3,
                          torch.tensor([3.0, 3.05, 6.95])]).to(dtype)
    expected = torch.exp(-((distance[:, None].double() - torch.arange(150).double() * 0.1) ** 2) / 0.1)
    torch.testing.assert_close(gaussians(distance).double(), expected, atol=1e-6 if dtype == torch.float32 else 1e-14,
                               rtol=0)
    first, last = gaussians.window(distance)
    assert 0 < first < last < 150
    torch.testing.assert_close(gaussians(distance, first, last), gaussians(distance)[:, first:last])
    outside = torch.cat([expected[:, :first], expected[:, last:]], dim=1)
    assert float(outside.max()) < torch.finfo(dtype).eps
    far = torch.tensor([1e4, 20.0], dtype=dtype)
    assert float(gaussians(far).max()) == 0.0
    assert gaussians.window(far) == (149, 150)
    assert gaussians.window(distance[:0]) == (0, 150)


def test_a_members_random_numbers_are_its_own() -> None:
    three, last = Seeds(4, 3), Seeds(6, 1)
    assert torch.equal(three.normal(5, 2, scale=0.1)[2], last.normal(5, 2, scale=0.1)[0])
    drawn = Seeds(0, 1).normal(100, 100, scale=2.0).detach()
    assert float(drawn.abs().max()) <= 4.0
    assert 1.6 < float(drawn.std()) < 1.9
