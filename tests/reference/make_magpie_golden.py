"""Write tests/data/tabular/magpie.json: what matminer says of some formulas.

Run: ``python -m tests.reference.make_magpie_golden PYTHON`` with a Python that has matminer 0.10.1.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ORACLE = Path(__file__).with_name("magpie_oracle.py")
GOLDEN = Path(__file__).parent.parent / "data/tabular/magpie.json"
FORMULAS = (
    "H", "He", "Xe", "Og", "U", "ClNa", "F2Mg", "O2Si", "CaO3Ti", "Fe2O3", "GaAs", "BN", "AlCu3Mn2", "O2", "PmCl3",
    "C60", "LaNi5H6", "Ba2Cu3O7Y", "Pb8S8Te8", "AcRn", "Al2Be3O18Si6", "K3Na1Mg2Zn10Bi4", "Nh2O3", "Ne5Ar7", "H2O1000",
)


def asked(python: str, formulas: list[str]) -> dict[str, Any]:
    """Labels and features of formulas, by matminer."""
    done = subprocess.run(
        [python, str(ORACLE), "features"], input=json.dumps(formulas), capture_output=True, text=True, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


if __name__ == "__main__":
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    content = {"made_by": "matminer 0.10.1, ElementProperty.from_preset('magpie'), by tests/reference/magpie_oracle.py",
               "formulas": list(FORMULAS)} | asked(sys.argv[1], list(FORMULAS))
    GOLDEN.write_text(json.dumps(content, separators=(",", ":")) + "\n")
