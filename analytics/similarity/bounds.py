"""What a pair must at least share to reach a threshold, in integers that no rounding can cheat.

The coefficient of a pair that shares m = Σ min of s = total_a + total_b counts is x = fl(m / (s − m)), fl being the
rounding to float64. m and s − m are integers below 2⁵³, thus exact, and fl is monotone: as m / (s − m) grows with m
and falls with s, so does x. Hence, for M ≥ m and S ≤ s, fl(M / (S − M)) < τ proves x < τ, and :func:`least_shared`,
found by trying that same rounded division, is the exact border: a pair reaches τ if and only if m ≥ least_shared(s).
A lower bound of s gives a lower bound of what must be shared.
"""

from __future__ import annotations

from analytics.similarity.compiled import compiled


@compiled
def coefficient_of(shared: int, both: int) -> float:
    """Tanimoto coefficient of a pair that shares ``shared`` of ``both`` counts; 0 for an empty union."""
    return shared / (both - shared) if both > shared else 0.0


@compiled
def least_shared(threshold: float, both: int) -> int:
    """The smallest m with float64(m / (both − m)) ≥ threshold; 0 for a threshold of 0 or less."""
    if threshold <= 0.0:
        return 0
    if both <= 0:
        return 1
    m = min(max(int(threshold * both / (1.0 + threshold)), 1), both)
    while m > 1 and (2 * m - 2 >= both or (m - 1) / (both - m + 1) >= threshold):
        m -= 1
    while 2 * m < both and m / (both - m) < threshold:
        m += 1
    return m


@compiled
def upper_coefficient(shared: int, both: int) -> float:
    """An upper bound of the coefficient from an upper bound of what is shared and a lower bound of both totals."""
    return 1.0 if 2 * shared >= both else shared / (both - shared)
