"""Space groups, for every source with the same tool and tolerance (moyo, symprec 0.1 Å)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache

SYMPREC_ANGSTROM = 0.1

# moyo warns about every conventional cell; its answer (the number) does not depend on it.
logging.getLogger("moyopy").setLevel(logging.ERROR)
logging.getLogger("moyo").setLevel(logging.ERROR)


@cache
def tool() -> str:
    """Program, version and tolerance, as the column ``symmetry_tool`` records them."""
    import moyopy

    return f"moyopy {moyopy.__version__}, symprec {SYMPREC_ANGSTROM} Å"


def space_group(
    lattice: Sequence[Sequence[float]], positions: Sequence[Sequence[float]], numbers: Sequence[int]
) -> int | None:
    """The space-group number of one cell, or None where none can be found.

    Args:
        lattice: 3 × 3, rows a, b, c in Å.
        positions: n × 3, fractional.
        numbers: n atomic numbers.
    """
    import moyopy

    try:
        cell = moyopy.Cell(lattice, positions, numbers)
        return int(moyopy.MoyoDataset(cell, symprec=SYMPREC_ANGSTROM).number)
    except (BaseException,) as error:
        # A panic in the compiled library is no Exception; overlapping atoms are a plain ValueError.
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return None
