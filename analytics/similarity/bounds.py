"""What a pair must at least share to reach a threshold, so that no rounding can lose a pair.

The coefficient of a pair that shares m = Σ min of s = total_a + total_b counts is x = fl(m / (s − m)), fl being the
rounding to float64. m and s − m are integers below 2⁵³, thus exact, and fl is monotone: as m / (s − m) grows with m
and falls with s, so does x. Hence:

- For M ≥ m and S ≤ s, fl(M / (S − M)) < τ proves x < τ (:func:`upper_coefficient`).
- x ≥ τ needs m / (s − m) ≥ τ (1 − 2⁻⁵³), thus m ≥ s τ / (1 + τ) − s 2⁻⁵³. Three roundings in computing s τ / (1 + τ)
  err by less than s 2⁻⁵¹; both together are far below 1 for any s below 2⁴⁰. One less than the computed number,
  rounded down, is therefore a bound (:func:`least_shared`), and a smaller s gives a smaller one. A pair that shares
  nothing has x = 0, so that 1 is a bound as well.

A bound only ever rules pairs out; the last word has the rounded division itself (:func:`coefficient_of`).
"""

from __future__ import annotations

from analytics.similarity.compiled import compiled


@compiled
def coefficient_of(shared: int, both: int) -> float:
    """Tanimoto coefficient of a pair that shares ``shared`` of ``both`` counts; 0 for an empty union."""
    return shared / (both - shared) if both > shared else 0.0


@compiled
def least_shared(threshold: float, both: int) -> int:
    """A pair that shares less than this of ``both`` counts stays below the threshold, 0 ≤ threshold ≤ 1."""
    return max(int(threshold / (1.0 + threshold) * both) - 1, 1) if threshold > 0.0 else 0


@compiled
def upper_coefficient(shared: int, both: int) -> float:
    """An upper bound of the coefficient from an upper bound of what is shared and a lower bound of both totals."""
    return 1.0 if 2 * shared >= both else shared / (both - shared)


@compiled
def units(need: int, shift: int) -> int:
    """What must be shared, in units of coarse sums: rounded up, as coarse sums are whole units.

    It is a 16-bit number: nothing has to share more than the mean of two totals, and those are 16-bit numbers.
    """
    return (need + (1 << shift) - 1) >> shift
