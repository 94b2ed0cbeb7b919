"""Peak memory of an ingest against the number of pages: it must not grow with them.

    python -m benchmarks.memory [--pages 60 240] [--records 50] [--kilobytes 20]

Each ingest runs in a process of its own against a local server; printed are its peak resident set and the
growth per further MiB of replies. A small ingest has not yet filled its batches: compare large ones. Records
are made from one real structure, with a text that the lake does not keep.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Peak:
    """What one ingest needed: pages, bytes of replies, peak resident set in MiB, records taken."""

    pages: int
    reply_mib: float
    peak_mib: float
    records: int


def document(index: int, kilobytes: int) -> dict[str, object]:
    """A summary document of rock salt, each with another lattice constant."""
    a = 5.0 + index / 1e5
    sites = [{"species": [{"element": element, "occu": 1}], "abc": position, "label": element}
             for element, position in (("Na", [0, 0, 0]), ("Cl", [0.5, 0.5, 0.5]))]
    matrix = [[0, a / 2, a / 2], [a / 2, 0, a / 2], [a / 2, a / 2, 0]]
    return {
        "material_id": f"mp-{index + 1}", "formula_pretty": "NaCl", "nsites": 2, "deprecated": False,
        "structure": {"@module": "pymatgen.core.structure", "@class": "Structure", "charge": 0,
                      "lattice": {"matrix": matrix}, "sites": sites},
        "formation_energy_per_atom": -2.1, "band_gap": 5.0, "energy_above_hull": 0.0,
        "origins": [{"name": f"{index}-" + "x" * 1000, "task_id": "mp-1"} for _ in range(kilobytes)],
    }


def measure(pages: int, records: int, kilobytes: int) -> Peak:
    """Ingest that many pages in a process of its own."""
    from tests.servers import MaterialsProject, Server

    documents = [document(index, kilobytes) for index in range(pages * records)]
    size = len(json.dumps(documents[0])) * len(documents) / 2**20
    with Server([MaterialsProject({"summary": documents})]) as server, tempfile.TemporaryDirectory() as lake:
        command = [sys.executable, "-m", "benchmarks.memory", "--child", lake, server.url, str(records)]
        # glibc keeps what threads have freed, arena by arena; one arena shows what is really held.
        environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"The ingest of {pages} pages failed:\n{done.stderr}")
    answer = json.loads(done.stdout.splitlines()[-1])
    return Peak(pages, size, answer["peak_mib"], answer["records"])


def child(lake: str, url: str, records: int) -> None:
    """The measured process."""
    from lake.ingest.run import ingest
    from lake.settings import load_settings
    from lake.store.lake import Lake

    settings = load_settings(root=lake, workers=1, batch_records=4 * records, requests_per_second=1000.0,
                             mp_api_key="any", timeout_seconds=60.0)
    result = ingest(Lake.open(lake, settings), "mp", options={"page_size": str(records)}, base_url=url)
    print(json.dumps({"peak_mib": peak_mib(), "records": result.taken}))


def peak_mib() -> float:
    """The peak resident set of this process in MiB."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not ru_maxrss: Linux lets a process inherit that from the one that started it.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 2**10
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--pages", type=int, nargs="+", default=[60, 240])
    parser.add_argument("--records", type=int, default=50, help="records of a page")
    parser.add_argument("--kilobytes", type=int, default=20, help="size of a record")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        child(given.child[0], given.child[1], int(given.child[2]))
        return
    peaks = [measure(pages, given.records, given.kilobytes) for pages in given.pages]
    print(f"{'pages':>6} {'records':>8} {'replies':>10} {'peak':>10}")
    for peak in peaks:
        print(f"{peak.pages:6} {peak.records:8} {peak.reply_mib:6.1f} MiB {peak.peak_mib:6.1f} MiB")
    first, last = peaks[0], peaks[-1]
    if last.pages > first.pages:
        further = last.reply_mib - first.reply_mib
        share = (last.peak_mib - first.peak_mib) / further
        print(f"growth: {share:.2f} MiB of memory per MiB of further replies (1 = every reply is kept)")


if __name__ == "__main__":
    main()
