"""All shipped records: none is lost, and the keys are those of an independent script."""

from __future__ import annotations

import gzip
import json
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from lake.ingest.run import ingest
from lake.store.lake import Lake

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.mark.parametrize(("source", "records"), [("aflow", 1_003), ("mp", 5_010), ("nomad", 232), ("nomad2018", 240)])
def test_no_record_is_lost(source: str, records: int, lake: Lake) -> None:
    result = ingest(lake, source, saved=[str(SAMPLES / source)])
    assert result.fetched == records
    assert result.balanced
    assert result.rejected == 0
    again = ingest(lake, source, saved=[str(SAMPLES / source)])
    assert again.unchanged == records
    assert again.versions == result.versions


def test_keys_are_those_of_an_independent_script(lake: Lake) -> None:
    import spglib
    from pymatgen.core import Composition, Element

    page = SAMPLES / "mp/summary/page-002.json.gz"
    ingest(lake, "mp", saved=[str(page)])
    keys = set(lake.read("calculations", ["cell_key"]).column(0).to_pylist())
    independent = set()
    for record in json.loads(gzip.decompress(page.read_bytes()))["data"]:
        sites = record["structure"]["sites"]
        numbers = [Element(site["species"][0]["element"]).Z for site in sites]
        cell = (record["structure"]["lattice"]["matrix"], [site["abc"] for site in sites], numbers)
        group = spglib.get_symmetry_dataset(cell, symprec=0.1)
        counts = sorted(Composition(record["composition"]).get_el_amt_dict().items())
        formula = "".join(f"{e}{int(n) if n > 1 else ''}" for e, n in counts)
        independent.add(f"{formula}_{group.number if group else 0}")
    assert abs(len(keys) - len(independent)) <= 0.003 * len(independent)
    assert len(keys & independent) >= 0.98 * len(independent)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_saved_replies_may_lie_behind_a_url(lake: Lake) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(SAMPLES)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/nomad/entries/page-001.json.gz"
        assert ingest(lake, "nomad", saved=[url]).new == 120
    finally:
        server.shutdown()
