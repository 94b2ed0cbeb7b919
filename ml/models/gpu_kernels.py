"""Message passing on a GPU in one launch each, by Triton (which PyTorch's CUDA builds bring along).

On small graphs a step is as long as its launches are many. Sums are added atomically: as with PyTorch's own operations,
the last bits differ from run to run. Only :mod:`ml.models.ops` uses this, and only after :func:`work` has seen that
the kernels give what plain operations give.
"""

from __future__ import annotations

from typing import Any

import torch
import triton  # type: ignore[import-not-found, unused-ignore]
import triton.language as tl  # type: ignore[import-not-found, unused-ignore]
from torch import Tensor

EDGES, CHANNELS, VALUES = 16, 64, 1024
COUNTS = ["n_edges", "n_nodes", "n_filters", "n_own", "n"]
"""Batches differ in these: one compiled kernel serves all."""


@triton.jit(do_not_specialize=COUNTS)
def _send(nodes, filters, sender, receiver, place, weight, out, n_edges, n_nodes, n_filters, channels,  # type: ignore[no-untyped-def]
          EDGES: tl.constexpr, CHANNELS: tl.constexpr):
    edge = tl.program_id(0) * EDGES + tl.arange(0, EDGES)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    member = tl.program_id(2)
    live = edge < n_edges
    mask = live[:, None] & (channel < channels)[None, :]
    s = tl.load(sender + edge, mask=live, other=0) + member * n_nodes
    r = tl.load(receiver + edge, mask=live, other=0) + member * n_nodes
    p = tl.load(place + edge, mask=live, other=0) + member * n_filters
    w = tl.load(weight + edge, mask=live, other=0.0)
    x = tl.load(nodes + s[:, None] * channels + channel[None, :], mask=mask, other=0.0)
    f = tl.load(filters + p[:, None] * channels + channel[None, :], mask=mask, other=0.0)
    tl.atomic_add(out + r[:, None] * channels + channel[None, :], w[:, None] * x * f, mask=mask)


@triton.jit(do_not_specialize=COUNTS)
def _send_backward(gradient, nodes, filters, sender, receiver, place, weight, of_nodes, of_filters, n_edges,  # type: ignore[no-untyped-def]
                   n_nodes, n_filters, channels, EDGES: tl.constexpr, CHANNELS: tl.constexpr):
    edge = tl.program_id(0) * EDGES + tl.arange(0, EDGES)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    member = tl.program_id(2)
    live = edge < n_edges
    mask = live[:, None] & (channel < channels)[None, :]
    s = tl.load(sender + edge, mask=live, other=0) + member * n_nodes
    r = tl.load(receiver + edge, mask=live, other=0) + member * n_nodes
    p = tl.load(place + edge, mask=live, other=0) + member * n_filters
    w = tl.load(weight + edge, mask=live, other=0.0)
    at_node = s[:, None] * channels + channel[None, :]
    at_filter = p[:, None] * channels + channel[None, :]
    x = tl.load(nodes + at_node, mask=mask, other=0.0)
    f = tl.load(filters + at_filter, mask=mask, other=0.0)
    g = w[:, None] * tl.load(gradient + r[:, None] * channels + channel[None, :], mask=mask, other=0.0)
    tl.atomic_add(of_nodes + at_node, g * f, mask=mask)
    tl.atomic_add(of_filters + at_filter, g * x, mask=mask)


@triton.jit(do_not_specialize=COUNTS)
def _join(own, place, sent, received, sender, receiver, out, n_edges, n_own, n_nodes, channels,  # type: ignore[no-untyped-def]
          EDGES: tl.constexpr, CHANNELS: tl.constexpr):
    edge = tl.program_id(0) * EDGES + tl.arange(0, EDGES)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    member = tl.program_id(2)
    live = edge < n_edges
    mask = live[:, None] & (channel < channels)[None, :]
    s = tl.load(sender + edge, mask=live, other=0) + member * n_nodes
    r = tl.load(receiver + edge, mask=live, other=0) + member * n_nodes
    p = tl.load(place + edge, mask=live, other=0) + member * n_own
    value = tl.load(own + p[:, None] * channels + channel[None, :], mask=mask, other=0.0)
    value += tl.load(sent + s[:, None] * channels + channel[None, :], mask=mask, other=0.0)
    value += tl.load(received + r[:, None] * channels + channel[None, :], mask=mask, other=0.0)
    e = edge.to(tl.int64) + member * n_edges
    tl.store(out + e[:, None] * channels + channel[None, :], value, mask=mask)


@triton.jit(do_not_specialize=COUNTS)
def _join_backward(gradient, sender, receiver, place, of_sent, of_received, of_own, n_edges, n_nodes, n_own,  # type: ignore[no-untyped-def]
                   channels, EDGES: tl.constexpr, CHANNELS: tl.constexpr):
    edge = tl.program_id(0) * EDGES + tl.arange(0, EDGES)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    member = tl.program_id(2)
    live = edge < n_edges
    mask = live[:, None] & (channel < channels)[None, :]
    s = tl.load(sender + edge, mask=live, other=0) + member * n_nodes
    r = tl.load(receiver + edge, mask=live, other=0) + member * n_nodes
    p = tl.load(place + edge, mask=live, other=0) + member * n_own
    e = edge.to(tl.int64) + member * n_edges
    g = tl.load(gradient + e[:, None] * channels + channel[None, :], mask=mask, other=0.0)
    tl.atomic_add(of_sent + s[:, None] * channels + channel[None, :], g, mask=mask)
    tl.atomic_add(of_received + r[:, None] * channels + channel[None, :], g, mask=mask)
    tl.atomic_add(of_own + p[:, None] * channels + channel[None, :], g, mask=mask)


@triton.jit(do_not_specialize=COUNTS)
def _ssp(x, y, slope, n, VALUES: tl.constexpr):  # type: ignore[no-untyped-def]
    at = tl.program_id(0) * VALUES + tl.arange(0, VALUES)
    mask = at < n
    v = tl.load(x + at, mask=mask, other=0.0)
    # The smaller of v and −v: a NaN stays one, which the maximum of Triton would drop.
    u = tl.exp(tl.where(v > 0, -v, v))
    tl.store(y + at, tl.where(v > 0, v, 0.0) + tl.log(1.0 + u) - 0.6931471805599453, mask=mask)
    tl.store(slope + at, tl.where(v > 0, 1.0, u) / (1.0 + u), mask=mask)


def send(nodes: Tensor, filters: Tensor, sender: Tensor, receiver: Tensor, place: Tensor, weight: Tensor,
         out: Tensor) -> None:
    """As :func:`ml.models.kernels.send`, on tensors of a GPU."""
    members, n_nodes, channels = nodes.shape
    _send[_grid(len(sender), channels, members)](
        nodes, filters, sender, receiver, place, weight, out, len(sender), n_nodes, filters.shape[1], channels,
        EDGES=EDGES, CHANNELS=CHANNELS,
    )


def send_backward(gradient: Tensor, nodes: Tensor, filters: Tensor, sender: Tensor, receiver: Tensor, place: Tensor,
                  weight: Tensor, of_nodes: Tensor, of_filters: Tensor) -> None:
    """As :func:`ml.models.kernels.send_backward`, on tensors of a GPU."""
    members, n_nodes, channels = nodes.shape
    _send_backward[_grid(len(sender), channels, members)](
        gradient, nodes, filters, sender, receiver, place, weight, of_nodes, of_filters, len(sender), n_nodes,
        filters.shape[1], channels, EDGES=EDGES, CHANNELS=CHANNELS,
    )


def join(own: Tensor, place: Tensor, sent: Tensor, received: Tensor, sender: Tensor, receiver: Tensor,
         out: Tensor) -> None:
    """As :func:`ml.models.kernels.join`, on tensors of a GPU."""
    members, n_own, channels = own.shape
    _join[_grid(len(sender), channels, members)](
        own, place, sent, received, sender, receiver, out, len(sender), n_own, sent.shape[1], channels,
        EDGES=EDGES, CHANNELS=CHANNELS,
    )


def join_backward(gradient: Tensor, sender: Tensor, receiver: Tensor, place: Tensor, of_sent: Tensor,
                  of_received: Tensor, of_own: Tensor) -> None:
    """As :func:`ml.models.kernels.join_backward`, on tensors of a GPU."""
    members, n_edges, channels = gradient.shape
    _join_backward[_grid(n_edges, channels, members)](
        gradient, sender, receiver, place, of_sent, of_received, of_own, n_edges, of_sent.shape[1], of_own.shape[1],
        channels, EDGES=EDGES, CHANNELS=CHANNELS,
    )


def ssp(x: Tensor, y: Tensor, slope: Tensor) -> None:
    """As :func:`ml.models.kernels_pointwise.ssp`, on dense tensors of a GPU."""
    if x.numel():
        _ssp[(triton.cdiv(x.numel(), VALUES),)](x, y, slope, x.numel(), VALUES=VALUES)


def _grid(n_edges: int, channels: int, members: int) -> tuple[Any, ...]:
    # A launch of nothing is an error; without edges the masks leave nothing to do.
    return max(triton.cdiv(n_edges, EDGES), 1), triton.cdiv(channels, CHANNELS), members


def work(device: torch.device) -> bool:
    """Whether the kernels give on a device what plain operations give."""
    members, n_nodes, n_filters, n_edges, channels = 2, 5, 7, 37, 70
    edge = torch.arange(n_edges, device=device)
    sender, receiver, place = edge * 3 % n_nodes, edge // 8, edge * 5 % n_filters
    weight = 0.1 + edge.float() % 4

    def values(rows: int, shift: int) -> Tensor:
        n = members * rows * channels
        return torch.sin(torch.arange(n, device=device).float() + shift).view(members, rows, channels)

    nodes, filters, gradient, of_edges = (values(n, k) for k, n in enumerate((n_nodes, n_filters, n_nodes, n_edges)))
    pairs: list[tuple[Tensor, Tensor]] = []

    def summed(x: Tensor, index: Tensor, n: int) -> Tensor:
        return x.new_zeros(members, n, channels).index_add_(1, index, x)

    out, of_nodes, of_filters = torch.zeros_like(nodes), torch.zeros_like(nodes), torch.zeros_like(filters)
    send(nodes, filters, sender, receiver, place, weight, out)
    send_backward(gradient, nodes, filters, sender, receiver, place, weight, of_nodes, of_filters)
    x, f, g = nodes[:, sender], filters[:, place], gradient[:, receiver] * weight[:, None]
    pairs += [(out, summed(x * f * weight[:, None], receiver, n_nodes)), (of_nodes, summed(g * f, sender, n_nodes)),
              (of_filters, summed(g * x, place, n_filters))]
    joined, of_sent, of_received, of_own = (torch.zeros_like(like) for like in (of_edges, nodes, nodes, filters))
    join(filters, place, nodes, gradient, sender, receiver, joined)
    join_backward(of_edges, sender, receiver, place, of_sent, of_received, of_own)
    pairs += [(joined, f + x + gradient[:, receiver]), (of_sent, summed(of_edges, sender, n_nodes)),
              (of_received, summed(of_edges, receiver, n_nodes)), (of_own, summed(of_edges, place, n_filters))]
    wide = torch.linspace(-90, 90, 1500, device=device)
    y, slope = torch.empty_like(wide), torch.empty_like(wide)
    ssp(wide, y, slope)
    pairs += [(y, torch.nn.functional.softplus(wide) - 0.6931471805599453), (slope, torch.sigmoid(wide))]
    return all(bool(torch.allclose(ours, expected, rtol=1e-4, atol=1e-4)) for ours, expected in pairs)
