"""End to end: saved MP pages to committed tables, against a plain loop of pymatgen and spglib over the same records.

The peer does less: it writes nothing. Usage: python benchmarks/ingest.py [FOLDER_OF_SUMMARY_PAGES] [--runs N]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

PEER = """
import gzip, json, sys, warnings
from pathlib import Path
from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer
warnings.simplefilter("ignore")
keys = set()
for page in sorted(Path(sys.argv[1]).glob("*.json.gz")):
    for record in json.loads(gzip.open(page).read())["data"]:
        structure = Structure.from_dict(record["structure"])
        try:
            number = SpacegroupAnalyzer(structure, symprec=0.1).get_space_group_number()
        except Exception:
            number = 0
        keys.add((structure.composition.formula, number))
print(len(keys))
"""

OURS = """
import sys
from lake.ingest.run import ingest
from lake.store.lake import Lake
lake = Lake.open(sys.argv[2])
result = ingest(lake, "mp", saved=[sys.argv[1]])
keys = lake.read("calculations", ["cell_key"]).column(0).unique()
print(result.fetched, result.new, result.rejected, len(keys))
"""


def timed(code: str, *arguments: str) -> tuple[float, str]:
    """Wall seconds of a fresh Python process, start-up and imports included, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    return time.perf_counter() - start, done.stdout.strip()


def main() -> None:
    """Run both in turn and print seconds and ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).parent.parent / "samples/mp/summary"
    parser.add_argument("folder", nargs="?", default=str(default))
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    ratios = []
    for _ in range(arguments.runs):
        with tempfile.TemporaryDirectory() as folder:
            ours, said = timed(OURS, arguments.folder, folder)
        peer, peer_said = timed(PEER, arguments.folder)
        fetched, new, rejected, keys = said.split()
        ratios.append(peer / ours)
        counts = f"{fetched} records, {new} new, {rejected} rejected, {keys} keys"
        print(f"matlake ingest, committed : {ours:7.2f} s   {counts}")
        print(f"pymatgen + spglib loop    : {peer:7.2f} s   {peer_said} keys")
        print(f"ratio                     : {peer / ours:7.1f}   (target: at least 5)")
    print(f"median ratio {median(ratios):.1f} over {len(ratios)} run(s)")


if __name__ == "__main__":
    main()
