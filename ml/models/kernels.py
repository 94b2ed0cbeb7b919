"""Message passing on the CPU in one pass over the edges: compiled, in the same order every time."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from lake.compiled import compiled

Array = npt.NDArray[Any]


@compiled
def send(nodes: Array, filters: Array, sender: Array, receiver: Array, place: Array, weight: Array,
         out: Array) -> None:
    """``out[r] += weight · filters[place] · nodes[sender]`` over edges; all arrays ``(members, rows, channels)``."""
    for m in range(nodes.shape[0]):
        for e in range(sender.shape[0]):
            x, f, y, w = nodes[m, sender[e]], filters[m, place[e]], out[m, receiver[e]], weight[e]
            for c in range(x.shape[0]):
                y[c] += w * f[c] * x[c]


@compiled
def send_backward(gradient: Array, nodes: Array, filters: Array, sender: Array, receiver: Array, place: Array,
                  weight: Array, of_nodes: Array, of_filters: Array) -> None:
    """The gradients of :func:`send` by nodes and filters, added to the last two arrays."""
    for m in range(nodes.shape[0]):
        for e in range(sender.shape[0]):
            s, p, w = sender[e], place[e], weight[e]
            g, x, f = gradient[m, receiver[e]], nodes[m, s], filters[m, p]
            gx, gf = of_nodes[m, s], of_filters[m, p]
            for c in range(x.shape[0]):
                scaled = w * g[c]
                gx[c] += scaled * f[c]
                gf[c] += scaled * x[c]


@compiled
def join(own: Array, place: Array, sent: Array, received: Array, sender: Array, receiver: Array, out: Array) -> None:
    """``out[e] = own[place] + sent[sender] + received[receiver]``; all arrays ``(members, rows, channels)``."""
    for m in range(own.shape[0]):
        for e in range(sender.shape[0]):
            a, x, y, z = own[m, place[e]], sent[m, sender[e]], received[m, receiver[e]], out[m, e]
            for c in range(z.shape[0]):
                z[c] = a[c] + x[c] + y[c]


@compiled
def join_backward(gradient: Array, sender: Array, receiver: Array, place: Array, of_sent: Array, of_received: Array,
                  of_own: Array) -> None:
    """The gradients of :func:`join`, added to the last three arrays."""
    for m in range(gradient.shape[0]):
        for e in range(sender.shape[0]):
            g, gx, gy, ga = gradient[m, e], of_sent[m, sender[e]], of_received[m, receiver[e]], of_own[m, place[e]]
            for c in range(g.shape[0]):
                gx[c] += g[c]
                gy[c] += g[c]
                ga[c] += g[c]
