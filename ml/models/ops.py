"""Message passing on tensors ``(rows, channels)`` or ``(members, rows, channels)``, with gradients.

Compiled kernels go over the edges once, where PyTorch's own operations would write every message to memory several
times, and on a GPU be launched one by one. For what kernels do not take, the plain operations say the same.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ml.models import kernels, kernels_pointwise

LOG_2 = math.log(2)


def ssp(x: Tensor) -> Tensor:
    """The shifted softplus, ``log(1 + exp(x)) − log 2`` (Schütt et al., SchNet)."""
    if x.dtype == torch.float32 and fused(x):
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
    if fused(nodes):
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
    if fused(own):
        return _Join.apply(own, place, sent, received, sender, receiver)  # type: ignore[no-any-return, no-untyped-call]
    return gather(own, place) + gather(sent, sender) + gather(received, receiver)


def compiled(x: Tensor) -> bool:
    """Whether the CPU's kernels take it: single or double precision."""
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)


def fused(x: Tensor) -> bool:
    """Whether there are kernels for it: on the CPU, or on a GPU in single precision where Triton's work."""
    return compiled(x) or (x.device.type == "cuda" and x.dtype == torch.float32 and _on_gpu(x.device))


def _on_gpu(device: torch.device) -> bool:
    """Whether Triton's kernels work on a GPU; found out once, by comparing them with plain operations."""
    if device not in _works:
        if torch.cuda.is_current_stream_capturing():
            return False
        try:
            from ml.models import gpu_kernels

            works, reason = gpu_kernels.work(device), "they give other numbers than plain operations"
        except Exception as error:  # noqa: BLE001 (no Triton, no C compiler, a GPU that it does not know, …)
            works, reason = False, f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
        if not works:
            warnings.warn(f"Fused kernels are not used on {device} ({reason}); plain operations take their place, "
                          "which is slower.", RuntimeWarning, stacklevel=2)
        _works[device] = works
    return _works[device]


_works: dict[torch.device, bool] = {}


def _run(kernel: str, *tensors: Tensor) -> None:
    """Start a kernel on the device of its tensors; the last ones are written to."""
    if tensors[0].device.type == "cpu":
        module = kernels_pointwise if kernel == "ssp" else kernels
        getattr(module, kernel)(*[one.numpy() for one in tensors])
    else:
        from ml.models import gpu_kernels

        with torch.cuda.device(tensors[0].device):
            getattr(gpu_kernels, kernel)(*tensors)


def dense(x: Tensor) -> Tensor:
    """The same values without gaps in memory, in any order of dimensions; a copy only where there are gaps."""
    size = 1
    for stride, n in sorted(zip(x.stride(), x.shape, strict=True)):
        if n != 1 and stride != size:
            return x.contiguous()
        size *= n
    return x


def _in_memory(x: Tensor) -> Tensor:
    """The values of a dense tensor as they lie in memory."""
    return x.detach().as_strided((x.numel(),), (1,))


def _stacked(*tensors: Tensor) -> list[Tensor]:
    """With a dimension of members, and without gaps in memory."""
    flat = [tensor.detach().contiguous() for tensor in tensors]
    return [one[None] if one.dim() == 2 else one for one in flat]


class _Ssp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = dense(x)
        y, slope = torch.empty_like(x), torch.empty_like(x)
        _run("ssp", *[_in_memory(one) for one in (x, y, slope)])
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
        out = torch.zeros_like(stacked[0])
        _run("send", *stacked, sender, receiver, place, weight, out)
        return out.view(nodes.shape)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        nodes, filters, *edges = ctx.saved_tensors
        stacked = _stacked(gradient, nodes, filters)
        of_nodes, of_filters = (torch.zeros_like(one) for one in stacked[1:])
        _run("send_backward", *stacked, *edges, of_nodes, of_filters)
        return of_nodes.view(nodes.shape), of_filters.view(filters.shape), None, None, None, None


class _Join(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, place: Tensor, sent: Tensor, received: Tensor, sender: Tensor,
                receiver: Tensor) -> Tensor:
        ctx.save_for_backward(place, sender, receiver)
        ctx.shapes = own.shape, sent.shape
        of_own, of_sent, of_received = _stacked(own, sent, received)
        out = own.new_empty(*own.shape[:-2], len(sender), own.shape[-1])
        _run("join", of_own, place, of_sent, of_received, sender, receiver, *_stacked(out))
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        place, sender, receiver = ctx.saved_tensors
        own_shape, node_shape = ctx.shapes
        (stacked,) = _stacked(gradient)
        of_sent, of_received, of_own = (
            stacked.new_zeros(len(stacked), *shape[-2:]) for shape in (node_shape, node_shape, own_shape)
        )
        _run("join_backward", stacked, sender, receiver, place, of_sent, of_received, of_own)
        return of_own.view(own_shape), None, of_sent.view(node_shape), of_received.view(node_shape), None, None
