"""The command as its users meet it: quick, quiet on stdout, clear when something is wrong."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import matlake

REPO = Path(__file__).parents[2]
SAMPLE = REPO / "samples/aflow/aflux/page-001.json.gz"


def as_a_process(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MATLAKE_")}
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *words], cwd=cwd, capture_output=True, text=True, timeout=120,
        env=kept | {"PYTHONPATH": str(REPO), "COLUMNS": "100"} | environment,
    )


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    done = as_a_process("--root", "lake", "ingest", "aflow", "--from", str(SAMPLE), "--limit", "40", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "40 fetched = 40 new" in done.stdout
    return folder


def test_help_answers_at_once(tmp_path: Path) -> None:
    seconds = []
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = as_a_process("--help", cwd=tmp_path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Processor time: the clock on the wall also counts the tests beside this one.
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert "ingest" in done.stdout
    assert min(seconds) < 0.5


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys; import flows.cli; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    heavy = ("'torch'", "'prefect'", "'dask'", "'pandas'", "'polars'", "'pyarrow'", "'pymatgen'", "'duckdb'")
    assert not [name for name in heavy if name in done.stdout]


def test_json_is_all_that_stdout_holds(filled: Path) -> None:
    done = as_a_process("sql", "select calculation_id, elements, hubbard_u_ev, band_gap_ev from calculations",
                        "--format", "json", cwd=filled, MATLAKE_ROOT="lake")
    rows = json.loads(done.stdout)
    assert len(rows) == 40
    assert isinstance(rows[0]["elements"], list)
    assert matlake("--root", "lake", "sql", "overlap", "--format", "json", cwd=filled).stdout.strip() == "[]"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_other_formats(filled: Path, kind: str) -> None:
    import polars as pl

    done = matlake("sql", "select calculation_id, elements, band_gap_ev from calculations order by 1", "--format",
                   kind, "--output", f"out.{kind}", "--root", "lake", cwd=filled)
    assert done.returncode == 0, done.stderr
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet}[kind](filled / f"out.{kind}")
    assert read.height == 40
    assert read["band_gap_ev"].dtype == pl.Float64


def test_parameters_are_bound_never_pasted(filled: Path) -> None:
    query = "select count(*) as n from calculations where source = $source"
    done = matlake("--root", "lake", "sql", query, "--param", "source=aflow", "--format", "json", cwd=filled)
    assert json.loads(done.stdout) == [{"n": 40}]
    done = matlake("--root", "lake", "sql", query, "-p", "source=' or true --", "--format", "json", cwd=filled)
    assert json.loads(done.stdout) == [{"n": 0}]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sql", "nothing"), "no query 'nothing'"),
        (("sql", "select * from materials"), "materials"),
        (("sql", "drop table calculations"), "only read"),
        (("sql", "overlap", "--param", "colour=blue"), "no parameter 'colour'"),
        (("sql", "overlap", "--param", "blue"), "name=value"),
        (("sql", "overlap", "--format", "xml"), "table, json, csv, parquet"),
        (("ingest", "icsd"), "no source 'icsd'"),
        (("ingest", "aflow", "--from", "nowhere"), "nowhere does not exist"),
        (("ingest", "aflow", "--colour", "blue"), "no option colour"),
    ],
)
def test_mistakes_end_as_one_message(filled: Path, words: tuple[str, ...], said: str) -> None:
    done = matlake("--root", "lake", *words, cwd=filled)
    assert done.returncode == 1
    assert done.stderr.startswith("matlake: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_mistake_ends_the_process_with_a_message(tmp_path: Path) -> None:
    done = as_a_process("ingest", "icsd", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("matlake: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_misspelt_settings_are_named(tmp_path: Path) -> None:
    done = matlake("status", cwd=tmp_path, MATLAKE_ROOOT="x")
    assert "Is MATLAKE_ROOT meant?" in done.stderr
    (tmp_path / ".env").write_text("OTHER=1\nMATLAKE_ROOT=from-file\n")
    assert "from-file is empty" in matlake("status", cwd=tmp_path).stdout


def test_status_cite_and_sources(filled: Path) -> None:
    assert "calculations" in matlake("--root", "lake", "status", cwd=filled).stdout
    cited = matlake("cite", cwd=filled).stdout
    assert "Curtarolo" in cited
    assert "--matchbook" in matlake("sources", cwd=filled).stdout
    assert "Columns:" in matlake("sql", "overlap", "--describe", cwd=filled).stdout
