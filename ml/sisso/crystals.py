"""Primary features of crystals: volume per atom, and element properties over the composition, all with units.

Element properties are those of `ml/tabular/elements.csv`; in SQL they are what the macros `element_least`,
`element_greatest` and `element_mean` give of a row's ``species_at_sites``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import InputError
from ml.data.structures import atomic_numbers
from ml.sisso.expression import Primary
from ml.sisso.units import Unit
from ml.tabular.elements import element_table

Floats = npt.NDArray[np.float64]
VOLUME = "volume_angstrom3_per_atom"


@dataclass(frozen=True)
class Property:
    """A property of elements.

    Attributes:
        name: as it stands in names of features and in `sql/macros/element_value.sql`.
        column: in `ml/tabular/elements.csv`.
        unit: of the feature.
        factor: from the unit there to this one.
        symbol: in LaTeX.
    """

    name: str
    column: str
    unit: str
    factor: float
    symbol: str


PROPERTIES = {one.name: one for one in (
    Property("electronegativity", "Electronegativity", "Pauling", 1.0, r"\chi"),
    Property("covalent_radius_angstrom", "CovalentRadius", "Å", 0.01, "r"),
    Property("atomic_weight_amu", "AtomicWeight", "amu", 1.0, "m"),
    Property("atomic_number", "Number", "1", 1.0, "Z"),
    Property("n_valence", "NValence", "1", 1.0, "n_v"),
    Property("elemental_volume_angstrom3", "GSvolume_pa", "Å^3", 1.0, "v"),
    Property("melting_kelvin", "MeltingT", "K", 1.0, "T_m"),
)}
STATISTICS = {"least": "element_least", "greatest": "element_greatest", "mean": "element_mean"}
"""What is taken over the atoms of a crystal, and the macro that does."""
MARKS = {"least": r"_{\min}", "greatest": r"_{\max}", "mean": r"_{\mathrm{mean}}"}
USUAL = ("electronegativity", "covalent_radius_angstrom", "atomic_weight_amu", "n_valence",
         "elemental_volume_angstrom3")


def usual_features() -> tuple[str, ...]:
    """Names of the features that are taken where none are chosen."""
    return (VOLUME, *(f"{statistic}_{name}" for name in USUAL for statistic in STATISTICS))


def all_features() -> tuple[str, ...]:
    """Names of all features."""
    return (VOLUME, *(f"{statistic}_{name}" for name in PROPERTIES for statistic in STATISTICS))


def primary_of(name: str) -> Primary:
    """A feature of crystals as a primary one.

    Raises:
        InputError: there is none of that name.
    """
    if name == VOLUME:
        # Per atom is no unit: a volume per atom is the cube of a length between atoms.
        return Primary(VOLUME, Unit.parse("Å^3"), "V")
    statistic, found = _parts(name)
    mark = MARKS[statistic]
    symbol = found.symbol if "_" not in found.symbol else rf"{{{found.symbol}}}"
    return Primary(name, Unit.parse(found.unit), symbol + mark)


def sql_of(names: Sequence[str]) -> dict[str, str]:
    """Feature → expression over the columns of `calculations`."""
    found = {}
    for name in names:
        if name == VOLUME:
            found[name] = VOLUME
            continue
        statistic, one = _parts(name)
        found[name] = f"{STATISTICS[statistic]}(species_at_sites, '{one.name}')"
    return found


def columns_of(rows: pa.Table, names: Sequence[str]) -> dict[str, Floats]:
    """Values of features, by name.

    Args:
        rows: n crystals, with ``lattice_vectors_angstrom`` and ``species_at_sites``.
        names: features.

    Returns:
        (n,) each; NaN where an element of the crystal has no value of the property.

    Raises:
        InputError: there is no such feature.
    """
    found: dict[str, Floats] = {}
    species = rows["species_at_sites"].combine_chunks()
    numbers = atomic_numbers(pc.list_flatten(species)).astype(np.int64)
    counts = pc.list_value_length(species).to_numpy(zero_copy_only=False).astype(np.int64)
    starts = np.concatenate(([0], np.cumsum(counts)[:-1])).astype(np.int64) if len(counts) else counts
    for name in names:
        if name == VOLUME:
            found[name] = _volumes(rows) / counts
            continue
        statistic, one = _parts(name)
        values = property_values(one)[numbers]
        if not len(counts):
            found[name] = np.zeros(0)
        elif statistic == "mean":
            found[name] = np.add.reduceat(values, starts) / counts
        else:
            found[name] = (np.minimum if statistic == "least" else np.maximum).reduceat(values, starts)
    return found


def property_values(one: Property) -> Floats:
    """A property by atomic number (119,), NaN where an element has none."""
    table = element_table()
    place = table.properties.index(one.column)
    return np.where(table.missing[:, place], np.nan, table.values[:, place]) * one.factor


def _parts(name: str) -> tuple[str, Property]:
    statistic, _, rest = name.partition("_")
    if statistic not in STATISTICS or rest not in PROPERTIES:
        raise InputError(f"There is no feature {name!r:.80} of crystals. Features: {', '.join(all_features())}.")
    return statistic, PROPERTIES[rest]


def _volumes(rows: pa.Table) -> Floats:
    cells = np.array(rows["lattice_vectors_angstrom"].to_pylist(), dtype=np.float64).reshape(-1, 3, 3)
    volumes: Floats = np.abs(np.linalg.det(cells))
    return volumes
