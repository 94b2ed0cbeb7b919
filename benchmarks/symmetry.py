"""Space groups of the cells in saved pages: moyo, as the lake asks it, against spglib. Cells per second, agreement.

Usage: python -m benchmarks.symmetry [PLACE …] [--source NAME] [--limit N]. A place is a saved page or a folder
of them, of the named source (default: the shipped Materials Project pages). Both search with symprec 0.1 Å, with
the structures already in memory in the form that each takes; seconds are of the processor, on one core.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from lake.crystal.cells import Cells, gather
from lake.crystal.symmetry import SYMPREC_ANGSTROM, space_groups, tool
from lake.ingest.compression import opened
from lake.ingest.documents import decode
from lake.ingest.files import find_saved
from lake.sources import find
from lake.sources.base import Context, Record, Source
from lake.sources.batch import Batch

SAMPLES = Path(__file__).parent.parent / "samples/mp/summary"


def pages(source_name: str, places: list[str]) -> list[tuple[str, str, list[Record]]]:
    """Kind, origin and records of every saved page."""
    source = find(source_name)
    result = []
    for saved in find_saved(places):
        with saved.path.open("rb") as file:
            document = decode(source, opened(file).read(), saved.origin)
        kind, records = source.records(document, saved.origin)
        result.append((kind, saved.origin, [r for r in records if _is_calculation(source, r, kind)]))
    return result


def _is_calculation(source: Source, record: Record, kind: str) -> bool:
    identity = source.identify(record, kind) if isinstance(record, dict) else None
    return identity is not None and identity.table == "calculations"


def cells_of(source_name: str, kind: str, origin: str, records: list[Record]) -> Cells:
    """The crystals in a page, as the source's normaliser reads them."""
    batch = Batch(records)
    if not records:
        return gather(batch)
    find(source_name).normalise(batch, kind, Context({}, origin))
    return gather(batch)


def ask_spglib(cells: Cells) -> list[int | None]:
    """The same question to spglib."""
    import spglib

    result: list[int | None] = []
    start = 0
    for lattice, end in zip(cells.lattices, cells.ends.tolist(), strict=True):
        cell: Any = (lattice, cells.positions[start:end], cells.numbers[start:end])
        try:
            found = spglib.get_symmetry_dataset(cell, symprec=SYMPREC_ANGSTROM)
        except Exception:  # noqa: BLE001 - spglib's own exceptions, by version
            found = None
        result.append(None if found is None else int(found.number))
        start = end
    return result


def main() -> None:
    """Ask both about the same cells and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("places", nargs="*", default=[str(SAMPLES)])
    parser.add_argument("--source", default="mp")
    parser.add_argument("--limit", type=int, help="cells of each page at most")
    arguments = parser.parse_args()
    import spglib

    tool()  # so that loading moyo is not counted, as loading spglib is not
    ours: list[int | None] = []
    theirs: list[int | None] = []
    sizes: list[int] = []
    seconds: dict[str, float] = {"moyo": 0.0, "spglib": 0.0}
    for kind, origin, records in pages(arguments.source, arguments.places):
        cells = cells_of(arguments.source, kind, origin, records[: arguments.limit])
        sizes += cells.counts.tolist()
        for name, ask, answers in (("moyo", space_groups, ours), ("spglib", ask_spglib, theirs)):
            start = time.process_time()
            answers += ask(cells)
            seconds[name] += time.process_time() - start
    if not sizes:
        raise SystemExit(f"No crystals in {', '.join(arguments.places)}.")
    equal = sum(a == b for a, b in zip(ours, theirs, strict=True))
    print(f"{len(sizes):,} cells of {sum(sizes) / len(sizes):.1f} atoms on average")
    print(f"{'':34}{'cells/s':>10}{'CPU s':>10}{'without answer':>16}")
    rows = (("moyo", tool(), ours), ("spglib", f"spglib {spglib.__version__}, the same", theirs))
    for name, label, found in rows:
        rate = len(sizes) / seconds[name]
        print(f"{label:34}{rate:>10,.0f}{seconds[name]:>10.2f}{found.count(None):>16,}")
    print(f"ratio {seconds['spglib'] / seconds['moyo']:.1f}; "
          f"equal on {equal:,} of {len(sizes):,} ({equal / len(sizes):.2%})")


if __name__ == "__main__":
    main()
