"""matminer's Magpie features and table: run by a Python that has matminer 0.10.1, and nothing of ours.

``PYTHON magpie_oracle.py table`` prints `ml/tabular/elements.csv`: the properties of the preset "magpie" as matminer
ships them, missing ones empty. ``PYTHON magpie_oracle.py features`` reads a JSON list of formulas from standard input
and prints {"labels": […], "features": [[…], …]}: what the preset says of each of them.
"""

import csv
import json
import sys
import warnings

from matminer.featurizers.composition import ElementProperty
from pymatgen.core import Composition, Element


def table():
    """The element table, one line an element."""
    preset = ElementProperty.from_preset("magpie", impute_nan=False)
    properties = preset.data_source.all_elemental_props
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["symbol", *preset.features])
    for number in range(1, 119):
        symbol = Element.from_Z(number).symbol
        values = [properties[name][symbol] for name in preset.features]
        writer.writerow([symbol, *("" if v != v else repr(int(v) if v == int(v) else v) for v in values)])


def features(formulas):
    """Labels and features of formulas."""
    preset = ElementProperty.from_preset("magpie")
    rows = [[float(v) for v in preset.featurize(Composition(f))] for f in formulas]
    return {"labels": preset.feature_labels(), "features": rows}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1:] == ["table"]:
        table()
    elif sys.argv[1:] == ["features"]:
        print(json.dumps(features(json.load(sys.stdin))))
    else:
        sys.exit(__doc__)
