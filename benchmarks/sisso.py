"""Formulas: planted ones found again, time beside TorchSisso, and the rock-salt and zinc-blende binaries.

Run: ``python -m benchmarks.sisso [--reference .venv-reference/bin/python] [--repetitions 3] [--rung3] [--json]``. The
peer is TorchSisso 0.1.8 (in an environment of its own; where it is not there, there is no ratio). Both get the same
table, operators, rung, dimensions and number of screened features, on one thread; times are those of the search
without imports and compiling, in interleaved repetitions, and the ratio is of medians. A planted formula counts as
found where its terms are, up to factors and constants.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ml.data.table import read_table
from ml.sisso.expression import Primary
from ml.sisso.problem import Problem, one_task
from ml.sisso.settings import SissoSettings
from ml.sisso.sisso import Found, errors_of, sisso
from ml.sisso.sources import Columns, problem_of_table
from ml.sisso.space import SpaceSettings

HERE = Path(__file__).parents[1]
SCREENED, ROWS = 20, 100
FEW, MANY = "abcde", "abcdefghijkl"
"""Columns: those that the formula needs and one more; and so many that the features take the time."""
OPERATORS = {"+": "+", "-": "-", "*": "*", "/": "/", "sqrt": "pow(1/2)", "^2": "pow(2)", "exp": "exp"}
LIMIT_RATIO = 3.0
OF_RUNG_3 = ("+", "-", "|-|", "*", "/", "^2", "^3", "sqrt")
NOISES = (0.0, 0.01, 0.05)
PUBLISHED_RMSE_EV = (0.142, 0.099, 0.076)
"""Ghiringhelli et al., Phys. Rev. Lett. 114, 105503 (2015), with other values of the atomic features."""
PLANTED = {
    "3ab - 2√c/d": (2, (("*", "a", "b"), ("/", ("sqrt", "c"), "d")), (3.0, -2.0)),
    "2a/b": (1, (("/", "a", "b"),), (2.0,)),
    "a² + 4√d": (1, (("^2", "a"), ("sqrt", "d")), (1.0, 4.0)),
    "5(a - b)/c": (2, (("/", ("-", "a", "b"), "c"),), (5.0,)),
    "2(a - b)²/(c d)": (3, (("/", ("^2", ("-", "a", "b")), ("*", "c", "d")),), (2.0,)),
}
PEER = """
import contextlib, io, json, sys, time, warnings
warnings.filterwarnings("ignore")
import pandas, torch
from TorchSisso import SissoModel
torch.set_num_threads(1)
table = pandas.read_csv(sys.argv[1])
times = []
for _ in range(int(sys.argv[4])):
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        model = SissoModel(table.copy(), json.loads(sys.argv[2]), n_expansion=3, n_term=2, k=int(sys.argv[3]))
        rmse, equation, r2, final = model.fit()
    times.append(time.perf_counter() - began)
print(json.dumps({"seconds": times, "rmse": float(rmse), "equation": str(equation)}))
"""


def columns(names: str = FEW) -> dict[str, np.ndarray]:
    """Numbers between 0.5 and 5."""
    random = np.random.default_rng(0)
    return {name: random.uniform(0.5, 5.0, ROWS) for name in names}


def value_of(term: Any, table: dict[str, np.ndarray]) -> np.ndarray:
    """A planted term."""
    if isinstance(term, str):
        return table[term]
    operator, *operands = term
    values = [value_of(one, table) for one in operands]
    return {"*": np.multiply, "/": np.divide, "-": np.subtract, "sqrt": np.sqrt, "^2": np.square}[operator](*values)


def problem_of(table: dict[str, np.ndarray], target: np.ndarray) -> Problem:
    """A table of plain numbers as a problem."""
    return Problem("y", "1", tuple(Primary(name) for name in table), table, target, *one_task(len(target)), None, (),
                   tuple(map(str, range(len(target)))))


def is_found(found: tuple[Found, ...], terms: tuple[Any, ...], table: dict[str, np.ndarray]) -> bool:
    """Whether the formula of as many terms has the planted ones."""
    if len(found) < len(terms):
        return False
    said = found[len(terms) - 1].formula.terms(table)
    alike = np.abs(np.corrcoef(np.vstack((said, [value_of(term, table) for term in terms]))))
    return bool((alike[:len(terms), len(terms):].max(axis=0) > 1 - 1e-9).all())


def planted() -> dict[str, dict[str, bool]]:
    """Which planted formulas are found again, by noise (share of the target's spread)."""
    found: dict[str, dict[str, bool]] = {}
    for name, (rung, terms, factors) in PLANTED.items():
        table = columns()
        clean = sum(factor * value_of(term, table) for factor, term in zip(factors, terms, strict=True))
        # Of rung 3 with all operators there are too many for a benchmark: those that the formula needs, and +.
        operators = ("+", "-", "*", "/", "^2") if rung == 3 else tuple(OPERATORS)
        settings = SissoSettings(dimensions=len(terms), screened=SCREENED, space=SpaceSettings(
            rung=rung, operators=operators, max_operators=4 if rung == 3 else None))
        found[name] = {}
        for noise in NOISES:
            random = np.random.default_rng(1).normal(size=ROWS)
            problem = problem_of(table, clean + noise * clean.std() * random)
            found[name][f"{noise:g}"] = is_found(sisso(problem, settings), terms, table)
    return found


def beside_peer(python: Path, repetitions: int, names: str) -> dict[str, Any]:
    """Times and errors of both on 3ab - 2√c/d without noise, in a table of so many columns."""
    rung, terms, factors = PLANTED["3ab - 2√c/d"]
    table = columns(names)
    target = sum(factor * value_of(term, table) for factor, term in zip(factors, terms, strict=True))
    problem = problem_of(table, target)
    space = SpaceSettings(rung=rung, operators=tuple(OPERATORS))
    settings = SissoSettings(dimensions=2, screened=SCREENED, space=space)
    found = sisso(problem, settings)
    ours: list[float] = []
    theirs: list[float] = []
    peer: dict[str, Any] | None = None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        matrix = np.column_stack((target, *table.values()))
        np.savetxt(path, matrix, delimiter=",", header=",".join(("y", *table)), comments="", fmt="%.17g")
        for _ in range(repetitions):
            began = time.perf_counter()
            found = sisso(problem, settings)
            ours.append(time.perf_counter() - began)
            if python.exists():
                peer = _peer(python, path)
                theirs += peer["seconds"]
    result: dict[str, Any] = {
        "seconds": statistics.median(ours), "n_candidates": found[-1].n_candidates,
        "rmse": errors_of(target, found[-1].fitted)[0], "equation": found[-1].formula.text(),
        "found": is_found(found, terms, table), "spread": float(target.std()),
    }
    if peer is None:
        return result | {"reference": f"{python} is not there: no ratio (make .venv-reference/ready makes it)"}
    return result | {"peer_seconds": statistics.median(theirs), "ratio": statistics.median(theirs) / result["seconds"],
                     "peer_rmse": peer["rmse"], "peer_equation": peer["equation"]}


def _peer(python: Path, path: Path) -> dict[str, Any]:
    # The first fit warms up: its time does not count.
    done = subprocess.run(
        [str(python), "-c", PEER, str(path), json.dumps(list(OPERATORS.values())), str(SCREENED), "2"],
        capture_output=True, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result | {"seconds": result["seconds"][1:]}


def binaries(rung3: bool) -> dict[str, Any]:
    """Errors on the 82 binaries by dimension."""
    table = read_table(HERE / "samples" / "tables" / "rocksalt_zincblende.csv")
    problem, _ = problem_of_table(table, "delta_e_ev_per_atom", Columns())
    space = SpaceSettings(rung=3, max_operators=4, operators=OF_RUNG_3) if rung3 else SpaceSettings()
    began = time.perf_counter()
    found = sisso(problem, SissoSettings(dimensions=3, screened=200, space=space))
    return {"seconds": time.perf_counter() - began, "n_candidates": found[0].n_candidates,
            "rmse_ev": [errors_of(problem.values, one.fitted)[0] for one in found],
            "formulas": [one.formula.text() for one in found]}


def main() -> int:
    """Measure and print; the status is 1 where a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sisso", description=__doc__.splitlines()[0])
    parser.add_argument("--reference", type=Path, help="interpreter of an environment with TorchSisso 0.1.8",
                        default=Path(os.environ.get("TEST_REFERENCE_PYTHON", ".venv-reference/bin/python")))
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--rung3", action="store_true", help="rung 3 for the binaries: some minutes")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    result = {"peer": {str(len(names)): beside_peer(arguments.reference, arguments.repetitions, names)
                       for names in (FEW, MANY)}, "planted": planted(),
              "binaries": binaries(arguments.rung3)}
    missed = misses(result)
    print(json.dumps(result | {"missed": missed}) if arguments.json else shown(result, missed))
    return 1 if missed else 0


def misses(result: dict[str, Any]) -> list[str]:
    """Limits that were missed."""
    missed = [f"{name} was not found without noise" for name, by_noise in result["planted"].items()
              if not by_noise["0"]]
    judged = result["peer"][str(len(MANY))]
    if "ratio" in judged and judged["ratio"] < LIMIT_RATIO:
        missed.append(f"{judged['ratio']:.1f} times TorchSisso, and {LIMIT_RATIO:g} are wanted")
    return missed


def shown(result: dict[str, Any], missed: list[str]) -> str:
    """For a person."""
    lines = []
    for n_columns, peer in result["peer"].items():
        lines.append(f"3ab - 2√c/d, {n_columns} columns, {peer['n_candidates']:,} candidates: {peer['seconds']:.3f} s, "
                     f"RMSE {peer['rmse']:.2g}: {peer['equation']}")
        lines.append(f"  TorchSisso: {peer['peer_seconds']:.3f} s, RMSE {peer['peer_rmse']:.2g}: "
                     f"{peer['peer_equation']}; ratio {peer['ratio']:.1f}" if "ratio" in peer else peer["reference"])
    for name, by_noise in result["planted"].items():
        lines.append(f"planted {name}: " + ", ".join(
            f"{float(noise):.0%} noise {'found' if found else 'NOT FOUND'}" for noise, found in by_noise.items()))
    found = result["binaries"]
    for rmse, published, text in zip(found["rmse_ev"], PUBLISHED_RMSE_EV, found["formulas"], strict=False):
        lines.append(f"82 binaries: RMSE {rmse:.3f} eV (published {published}): {text}")
    lines.append(f"  {found['n_candidates']:,} candidates, {found['seconds']:.1f} s")
    lines.append(f"limits: {'MISSED: ' + '; '.join(missed) if missed else 'kept'}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
