"""Work on a GPU recorded once as a CUDA graph and then started as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Body = Callable[[], None]
Recorder = Callable[[Body, Sequence[Tensor]], Body]
WARM_UP = 3


class GraphRecorder:
    """Records pieces of work that never run at the same time, and pass nothing on to each other but what they change.

    Therefore they can share the memory of what they make in between.
    """

    def __init__(self) -> None:
        self._place: tuple[Any, torch.cuda.Stream] | None = None

    def __call__(self, body: Body, changed: Sequence[Tensor]) -> Body:
        """Record a piece of work; what is given back does it again.

        As https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs asks for: it runs a few times on a stream
        of its own first, so that libraries and autograd have set themselves up; afterwards all that it changed is as
        before.

        Args:
            body: reads and writes tensors that stay where they are, and waits for nothing.
            changed: all that it changes and that outlives it.

        Raises:
            RuntimeError: it cannot be recorded, or memory is used up.
        """
        device = changed[0].device
        before = [one.detach().clone() for one in changed]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(device):
            try:
                memory, stream = self._where(device)
                stream.wait_stream(torch.cuda.current_stream(device))
                with torch.cuda.stream(stream):
                    for _ in range(WARM_UP):
                        body()
                torch.cuda.current_stream(device).wait_stream(stream)
                with torch.cuda.graph(graph, memory, stream):
                    body()
            finally:
                torch.cuda.synchronize(device)
                with torch.no_grad():
                    for one, old in zip(changed, before, strict=True):
                        one.copy_(old)
        return graph.replay

    def _where(self, device: torch.device) -> tuple[Any, torch.cuda.Stream]:
        """The memory and the stream of all recordings."""
        if self._place is None:
            stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._place = torch.cuda.graph_pool_handle(), stream
        return self._place
