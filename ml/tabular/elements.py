"""The element table behind the composition features.

`elements.csv` holds the 22 properties of the preset "magpie" of matminer 0.10.1 as it ships them (made by
``python tests/reference/magpie_oracle.py table``); missing values are empty. The properties and their statistics are
those of Ward et al., npj Comput. Mater. 2, 16028 (2016), doi 10.1038/npjcompumats.2016.28; the values were collected
there from Mathematica's ElementData, the CRC Handbook and OQMD. matminer: Copyright (c) 2015, The Regents of the
University of California, BSD licence with the LBNL addition; see `LICENSE-matminer.txt`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lake.crystal.formula import ATOMIC_NUMBER

FILE = Path(__file__).with_name("elements.csv")


@dataclass(frozen=True)
class ElementTable:
    """Properties of the elements.

    Attributes:
        properties: their names, p of them.
        values: (119, p), by atomic number; row 0 is NaN. Missing values are the property's mean over all elements
            that have one, as in matminer (``impute_nan=True``).
        missing: (119, p), where that was done.
    """

    properties: tuple[str, ...]
    values: NDArray[np.float64]
    missing: NDArray[np.bool_]


@lru_cache(maxsize=1)
def element_table() -> ElementTable:
    """The table of `elements.csv`, read once."""
    with FILE.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    values = np.full((len(ATOMIC_NUMBER) + 1, len(header) - 1), np.nan)
    for symbol, *cells in lines:
        values[ATOMIC_NUMBER[symbol]] = [float(cell) if cell else np.nan for cell in cells]
    missing = np.isnan(values)
    values[1:] = np.where(missing[1:], np.nanmean(values[1:], axis=0), values[1:])
    values.setflags(write=False)
    return ElementTable(tuple(header[1:]), values, missing)
