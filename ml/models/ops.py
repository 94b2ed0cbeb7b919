"""Message passing on tensors ``(rows, channels)`` or ``(members, rows, channels)``, with gradients.

On the CPU compiled kernels go over the edges once, where PyTorch's own operations would write every message to memory
several times. Elsewhere, and for what kernels do not take, the plain operations say the same.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ml.models import kernels, kernels_pointwise

LOG_2 = math.log(2)


def ssp(x: Tensor) -> Tensor:
    """The shifted softplus, ``log(1 + exp(x)) − log 2`` (Schütt et al., SchNet)."""
    if x.dtype == torch.float32 and x.device.type == "cpu":
        return _Ssp.apply(x)  # type: ignore[no-any-return, no-untyped-call]
    # In place: the gradient needs what went in, not what came out.
    return functional.softplus(x).sub_(LOG_2)


def gather(x: Tensor, index: Tensor) -> Tensor:
    """Rows of ``x`` by index."""
    return x.index_select(-2, index)


def segment_sum(x: Tensor, index: Tensor, n: int) -> Tensor:
    """Sums of the rows of ``x`` that have one index, ``n`` of them."""
    shape = (*x.shape[:-2], n, x.shape[-1])
    return x.new_zeros(shape).index_add_(-2, index, x)


def send(nodes: Tensor, filters: Tensor, sender: Tensor, receiver: Tensor, place: Tensor, weight: Tensor) -> Tensor:
    """Filtered messages along the edges, summed at the receiver: ``Σ weight · filters[place] ⊙ nodes[sender]``.

    Args:
        nodes: ``(…, N, C)``.
        filters: ``(…, D, C)``, such as one per distance.
        sender: ``(E,)``, node that an edge comes from.
        receiver: ``(E,)``, node that it goes to.
        place: ``(E,)``, its filter.
        weight: ``(E,)``; no gradient is made for it.

    Returns:
        ``(…, N, C)``.
    """
    if compiled(nodes):
        return _Send.apply(nodes, filters, sender, receiver, place, weight)  # type: ignore[no-any-return, no-untyped-call]
    message = gather(nodes, sender) * gather(filters, place) * weight[:, None]
    return segment_sum(message, receiver, nodes.shape[-2])


def join(own: Tensor, place: Tensor, sent: Tensor, received: Tensor, sender: Tensor, receiver: Tensor) -> Tensor:
    """What edges make of themselves and of their two ends: ``own[place] + sent[sender] + received[receiver]``.

    Args:
        own: ``(…, D, C)``.
        place: ``(E,)``, row of ``own`` of an edge.
        sent: ``(…, N, C)``.
        received: ``(…, N, C)``.
        sender: ``(E,)``.
        receiver: ``(E,)``.

    Returns:
        ``(…, E, C)``.
    """
    if compiled(own):
        return _Join.apply(own, place, sent, received, sender, receiver)  # type: ignore[no-any-return, no-untyped-call]
    return gather(own, place) + gather(sent, sender) + gather(received, receiver)


def compiled(x: Tensor) -> bool:
    """Whether the kernels take it: on the CPU, single or double precision."""
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)


def dense(x: Tensor) -> Tensor:
    """The same values without gaps in memory, in any order of dimensions; a copy only where there are gaps."""
    size = 1
    for stride, n in sorted(zip(x.stride(), x.shape, strict=True)):
        if n != 1 and stride != size:
            return x.contiguous()
        size *= n
    return x


def _in_memory(x: Tensor) -> kernels.Array:
    """The values of a dense tensor as they lie in memory."""
    return x.detach().as_strided((x.numel(),), (1,)).numpy()


def _arrays(*tensors: Tensor) -> list[kernels.Array]:
    return [tensor.detach().numpy() for tensor in tensors]


def _stacked(*tensors: Tensor) -> list[kernels.Array]:
    flat = [tensor.detach().contiguous().numpy() for tensor in tensors]
    return [one[None] if one.ndim == 2 else one for one in flat]


class _Ssp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = dense(x)
        y, slope = torch.empty_like(x), torch.empty_like(x)
        kernels_pointwise.ssp(*[_in_memory(one) for one in (x, y, slope)])
        ctx.save_for_backward(slope)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (slope,) = ctx.saved_tensors
        return gradient * slope  # type: ignore[no-any-return]


class _Send(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, nodes: Tensor, filters: Tensor, sender: Tensor, receiver: Tensor, place: Tensor,
                weight: Tensor) -> Tensor:
        ctx.save_for_backward(nodes, filters, sender, receiver, place, weight)
        stacked = _stacked(nodes, filters)
        out = kernels.zeros(stacked[0].shape, stacked[0])
        kernels.send(*[*stacked, *_arrays(sender, receiver, place, weight), out])
        return torch.from_numpy(out).view(nodes.shape)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        nodes, filters, *edges = ctx.saved_tensors
        stacked = _stacked(gradient, nodes, filters)
        of_nodes, of_filters = (kernels.zeros(one.shape, one) for one in stacked[1:])
        kernels.send_backward(*[*stacked, *_arrays(*edges), of_nodes, of_filters])
        return (torch.from_numpy(of_nodes).view(nodes.shape), torch.from_numpy(of_filters).view(filters.shape),
                None, None, None, None)


class _Join(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, place: Tensor, sent: Tensor, received: Tensor, sender: Tensor,
                receiver: Tensor) -> Tensor:
        ctx.save_for_backward(place, sender, receiver)
        ctx.shapes = own.shape, sent.shape
        stacked = _stacked(own, sent, received)
        out = torch.empty(*own.shape[:-2], len(sender), own.shape[-1], dtype=own.dtype)
        arguments = [stacked[0], *_arrays(place), *stacked[1:], *_arrays(sender, receiver), *_stacked(out)]
        kernels.join(*arguments)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        place, sender, receiver = ctx.saved_tensors
        own_shape, node_shape = ctx.shapes
        (stacked,) = _stacked(gradient)
        of_sent, of_received, of_own = (
            kernels.zeros((len(stacked), *shape[-2:]), stacked) for shape in (node_shape, node_shape, own_shape)
        )
        senders, receivers, places = _arrays(sender, receiver, place)
        kernels.join_backward(stacked, senders, receivers, of_sent, of_received)
        kernels.spread(stacked, places, of_own)
        return (torch.from_numpy(of_own).view(own_shape), None, torch.from_numpy(of_sent).view(node_shape),
                torch.from_numpy(of_received).view(node_shape), None, None)
