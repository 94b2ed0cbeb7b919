"""The reference server of OPTIMADE (optimade-python-tools), in its own environment, ingested end to end.

Set up and run by ``make test-optimade``; ``TEST_OPTIMADE_PYTHON`` names another environment's interpreter.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from lake.errors import IncompleteError
from lake.ingest.run import ingest
from tests.servers.trial import check_sound, databases, open_lake

PYTHON = Path(os.environ.get("TEST_OPTIMADE_PYTHON", ".venv-optimade/bin/python")).absolute()
OWN_STRUCTURES = 17
"""Structures that the package brings along for tests, some of them disordered."""
OWN_NAMES = {"id": "task_id", "chemical_formula_descriptive": "pretty_formula", "chemical_formula_reduced":
             "pretty_formula", "chemical_formula_anonymous": "formula_anonymous"}
"""How those call what OPTIMADE calls otherwise."""

pytestmark = [
    pytest.mark.optimade,
    pytest.mark.skipif(not PYTHON.exists(), reason=f"no optimade[server] at {PYTHON}: make test-optimade"),
    pytest.mark.xdist_group("optimade"),
]


@contextmanager
def serving(folder, **settings):
    """A server in its own process; yields its base URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    made = {"OPTIMADE_CONFIG_FILE": str(folder / "none.json"), "OPTIMADE_LOG_DIR": str(folder), **settings}
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(
        [PYTHON, "-m", "uvicorn", "optimade.server.main:app", "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, **made}, cwd=folder, stdout=log, stderr=subprocess.STDOUT,
    )
    try:
        until_ready(url, process, folder / "server.log")
        yield url
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def until_ready(url, process, log):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/v1/info", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    pytest.fail(log.read_text())


@pytest.fixture(scope="module")
def structures():
    return databases()[3].structures


@pytest.fixture(scope="module")
def server(structures, tmp_path_factory):
    """A server over our own real structures."""
    folder = tmp_path_factory.mktemp("optimade")
    lines = [{"x-optimade": {"meta": {"api_version": "1.2.0"}}}, *structures]
    (folder / "structures.jsonl").write_text("\n".join(map(json.dumps, lines)))
    settings = {"OPTIMADE_INSERT_TEST_DATA": "false", "OPTIMADE_INSERT_FROM_JSONL": str(folder / "structures.jsonl")}
    with serving(folder, **settings) as url:
        yield url


def test_everything_comes_page_by_page(server, structures, tmp_path):
    from lake.sources import find
    from lake.sources.base import Context
    from lake.sources.batch import Batch

    lake = open_lake(tmp_path)
    result = ingest(lake, "optimade", options={"page_size": "13"}, base_url=server)
    assert result.fetched == result.new == len(structures)
    assert result.pages == -(-len(structures) // 13)
    rows = {row["source_id"]: row for row in lake.read("calculations").to_pylist()}
    assert set(rows) == {f"exmpl/{s['id']}" for s in structures}
    batch = Batch(list(structures))
    find("optimade").normalise(batch, "structures", Context({}))
    for resource, lattice, positions in zip(
        structures, batch.columns["lattice_vectors_angstrom"], batch.columns["fractional_positions"], strict=True
    ):
        row = rows[f"exmpl/{resource['id']}"]
        assert row["lattice_vectors_angstrom"] == lattice
        assert row["fractional_positions"] == positions
        assert row["species_at_sites"] == resource["attributes"]["species_at_sites"]
        assert row["formula_reduced"] == resource["attributes"]["chemical_formula_reduced"]
        assert httpx.get(row["source_url"]).json()["data"]["id"] == resource["id"]
    check_sound(lake)


def test_again_changes_nothing(server, structures, tmp_path):
    lake = open_lake(tmp_path)
    ingest(lake, "optimade", base_url=server)
    versions = lake.versions()
    again = ingest(lake, "optimade", base_url=server)
    assert (again.taken, again.unchanged) == (0, len(structures))
    assert again.versions["calculations"] == versions["calculations"]


@pytest.mark.parametrize("text", ['elements HAS "O"', "nelements=2", 'NOT (elements HAS ANY "O","F") AND nsites<=4'])
def test_filters_are_the_servers(text, server, tmp_path):
    expected = httpx.get(f"{server}/v1/structures", params={"filter": text, "page_limit": 500}).json()["data"]
    lake = open_lake(tmp_path)
    ingest(lake, "optimade", options={"filter": text, "page_size": "7"}, base_url=server)
    found = {row["source_id"] for row in lake.read("calculations").to_pylist()}
    assert found == {f"exmpl/{s['id']}" for s in expected}


def test_a_wrong_filter_is_told_in_the_servers_words(server, tmp_path):
    with pytest.raises(IncompleteError, match="400"):
        ingest(open_lake(tmp_path), "optimade", options={"filter": "elements HAS"}, base_url=server)


def test_the_packages_own_structures_are_taken_or_rejected_with_a_reason(tmp_path):
    lake = open_lake(tmp_path / "lake")
    with serving(tmp_path, OPTIMADE_ALIASES=json.dumps({"structures": OWN_NAMES})) as url:
        result = ingest(lake, "optimade", options={"page_size": "5"}, base_url=url)
    assert result.fetched == OWN_STRUCTURES == result.taken + result.rejected
    assert result.taken > 0
    assert "no_id" not in result.reasons
    check_sound(lake)
