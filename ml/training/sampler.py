"""Which rows a step learns from: a pure function of seed and step, so that nothing needs to be kept to go on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]


class Sampler:
    """Batches of one size out of an endless row of epochs, each of them all rows in an order of its own.

    A batch may begin in one epoch and end in the next: all have the same size, and every row comes once per epoch.

    Args:
        places: rows to draw from.
        batch_size: rows of a batch; all of them where there are fewer.
        seed: of the orders.
    """

    def __init__(self, places: Places, batch_size: int, seed: int) -> None:
        self.places = np.sort(np.asarray(places, dtype=np.int64))
        self._seed = seed
        # Fewer rows than a batch has: all of them, every time.
        self.batch_size = min(batch_size, len(self.places))
        self._orders: dict[int, Places] = {}

    def batches(self, first: int, last: int) -> Places:
        """The batches of the steps from ``first`` to before ``last``, (last − first, batch_size)."""
        start, end = first * self.batch_size, last * self.batch_size
        n = len(self.places)
        epochs = range(start // n, -(-end // n))
        row: Places = np.concatenate([self._order(epoch) for epoch in epochs])
        self._orders = {epoch: order for epoch, order in self._orders.items() if epoch >= epochs[-1]}
        drawn: Places = row[start - epochs[0] * n:end - epochs[0] * n].reshape(last - first, self.batch_size)
        return drawn

    def batch(self, step: int) -> Places:
        """The batch of a step, counted from 0."""
        batch: Places = self.batches(step, step + 1)[0]
        return batch

    def _order(self, epoch: int) -> Places:
        if epoch not in self._orders:
            self._orders[epoch] = np.random.default_rng((self._seed, epoch)).permutation(self.places)
        return self._orders[epoch]
