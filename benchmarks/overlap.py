"""`overlap` over millions of synthetic rows: seconds and peak memory, beside polars doing the same.

Run: ``python -m benchmarks.overlap [--rows 10000000] [--folder PATH] [--json]``. The rows are Parquet files laid
out as the lake lays out `calculations` (hive-partitioned by source, zstd, several files a source), with keys
such as ``F4Mg2_136`` and settings that are partly unknown. Every engine runs in a process of its own, so that
its peak memory is its own; the answers must be equal.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SOURCES = {"aflow": 0.4, "mp": 0.3, "nomad": 0.3}
ROWS_PER_FILE = 500_000
LIMIT_SECONDS = 5.0
LIMIT_GIGABYTES = 4.0

SYNTHESIS = """
copy (
    with drawn as (
        -- A cubed uniform number makes some materials frequent, as rutile is in AFLOW.
        select
            row_number() over () as number,
            cast(pow(random(), 3) * {materials} as bigint) * {stride} + {shift} as material,
            random() as choice,
            random() as energy
        from range({rows})
    ),

    composed as (
        select
            *,
            {symbols}[1 + material % 89] as first_element,
            {symbols}[1 + (material // 89) % 89] as second_element,
            {symbols}[1 + (material // 7921) % 89] as third_element,
            1 + material % 4 as n_first,
            1 + material % 3 as n_second,
            1 + hash(material) % 230 as spacegroup,
            if(choice < 0.2, 2, 1) as multiple
        from drawn
    )

    select
        '{source}/' || number as calculation_id,
        first_element || n_first * multiple || second_element || n_second * multiple
        || third_element || multiple || '_' || spacegroup as cell_key,
        first_element || n_first || second_element || n_second || third_element || '_' || spacegroup
            as reduced_key,
        case when choice < 0.7 then 'pbe' when choice < 0.8 then 'pbesol' end as xc_functional,
        cast(null as varchar) as formation_energy_functional,
        cast(null as varchar) as band_gap_functional,
        if(choice < 0.95, energy * 4 - 3, null) as formation_energy_ev_per_atom,
        if(choice > 0.05, energy * 6, null) as band_gap_ev,
        choice > 0.995 as deprecated
    from composed
) to '{path}' (format parquet, compression zstd)
"""


def synthesise(folder: Path, rows: int) -> list[str]:
    """Write the synthetic rows; returns the files. Files that are there already are kept."""
    import duckdb

    from lake.crystal.formula import SYMBOLS

    paths: list[str] = []
    connection = duckdb.connect()
    connection.execute("select setseed(0.42)")
    for place, (source, share) in enumerate(SOURCES.items()):
        left = int(rows * share)
        for part in range(-(-left // ROWS_PER_FILE)):
            path = folder / f"source={source}" / f"part-{part:04}.zstd.parquet"
            paths.append(str(path))
            if path.exists():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            # Every second or third material of a source has a counterpart in another one.
            connection.execute(SYNTHESIS.format(
                rows=min(ROWS_PER_FILE, left - part * ROWS_PER_FILE), source=source, path=path,
                materials=int(rows * 0.6), stride=place + 1, shift=part % 2, symbols=SYMBOLS[:89],
            ))
    return paths


def with_duckdb(paths: list[str]) -> list[dict[str, Any]]:
    """The named query, as `matlake sql overlap` runs it."""
    import duckdb

    from analytics.queries import create_views, run_on
    from lake.tables import CALCULATIONS

    connection = duckdb.connect()
    listed = ", ".join(f"'{path}'" for path in paths)
    scan = f"read_parquet([{listed}], hive_partitioning = true, hive_types_autocast = false)"
    present = connection.sql(f"from {scan}").columns
    declared = connection.from_arrow(CALCULATIONS.schema.empty_table())
    columns = ", ".join(
        f'"{name}"' if name in present else f'cast(null as {kind}) as "{name}"'
        for name, kind in zip(declared.columns, declared.types, strict=True)
    )
    connection.execute(f"create view calculations as select {columns} from {scan}")
    create_views(connection)
    rows: list[dict[str, Any]] = run_on(connection, "overlap").to_pylist()
    return rows


def with_polars(paths: list[str]) -> list[dict[str, Any]]:
    """The same question, written for polars' streaming engine."""
    import polars as pl

    functional = pl.coalesce("formation_energy_functional", "xc_functional")
    rows = pl.scan_parquet(paths, hive_partitioning=True).filter(
        functional.is_null() | (functional == "pbe"),
        pl.col("formation_energy_ev_per_atom").is_not_null(),
        pl.col("band_gap_ev").is_not_null(),
        ~pl.col("deprecated").fill_null(False),
    )
    result: list[dict[str, Any]] = []
    for kind in ("cell_key", "reduced_key"):
        keys = rows.select("source", kind).drop_nulls().unique()
        together = keys.group_by(kind).agg(pl.col("source").sort()).group_by("source").len()
        sets: list[dict[str, Any]] = together.collect(engine="streaming").to_dicts()
        counts = rows.group_by("source").len().collect(engine="streaming")
        n_rows: dict[str, int] = dict(counts.iter_rows())
        for left in SOURCES:
            for right in SOURCES:
                if left < right:
                    result.append({
                        "left_source": left, "right_source": right, "key_kind": kind,
                        "left_rows": n_rows[left], "right_rows": n_rows[right],
                        "left_keys": sum(s["len"] for s in sets if left in s["source"]),
                        "right_keys": sum(s["len"] for s in sets if right in s["source"]),
                        "common_keys": sum(s["len"] for s in sets if {left, right} <= set(s["source"])),
                    })
    return result


ENGINES = {"duckdb": with_duckdb, "polars": with_polars}


def measure(engine: str, paths: list[str]) -> dict[str, Any]:
    """Seconds and peak memory of one engine in a fresh process (imports not counted)."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.overlap", "--engine", engine, *paths],
        stdout=subprocess.PIPE, text=True, check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def run_engine(engine: str, paths: list[str]) -> None:
    """Run one engine in this process and print what it took as JSON."""
    __import__(engine)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, start_cpu = time.perf_counter(), time.process_time()
    rows = ENGINES[engine](paths)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept = ("left_source", "right_source", "key_kind", "left_rows", "right_rows", "left_keys", "right_keys",
            "common_keys")
    answer = sorted(json.dumps({k: row[k] for k in kept}) for row in rows)
    print(json.dumps({
        "engine": engine, "seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2),
        "peak_gigabytes": round(peak / 1024**2, 2), "start_gigabytes": round(before / 1024**2, 2), "answer": answer,
    }))


def main() -> int:
    """Synthesise, measure every engine, print; the status is 1 where a limit or the agreement is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where the synthetic rows lie; default: a temporary folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--engine", choices=sorted(ENGINES), help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.engine:
        run_engine(arguments.engine, arguments.paths)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        paths = synthesise(arguments.folder or Path(temporary), arguments.rows)
        results = {engine: measure(engine, paths) for engine in ENGINES}
    return report(results, arguments.rows, arguments.json)


def report(results: dict[str, dict[str, Any]], rows: int, as_json: bool) -> int:
    """Print the measurements; returns the exit status."""
    ours, peer = results["duckdb"], results["polars"]
    agree = ours.pop("answer") == peer.pop("answer")
    ratio = round(peer["seconds"] / ours["seconds"], 2)
    good = agree and ours["seconds"] < LIMIT_SECONDS and ours["peak_gigabytes"] < LIMIT_GIGABYTES
    if as_json:
        print(json.dumps({"rows": rows, **results, "polars_to_duckdb": ratio, "agree": agree, "good": good}))
        return 0 if good else 1
    for result in (ours, peer):
        print(f"{result['engine']:8} {result['seconds']:6.2f} s ({result['cpu_seconds']:.2f} s of all cores "
              f"together)  peak {result['peak_gigabytes']:.2f} GB "
              f"({result['start_gigabytes']:.2f} GB of it before)")
    print(f"{rows:,} rows: polars takes {ratio} times as long; same answer: {'yes' if agree else 'NO'}; "
          f"limits ({LIMIT_SECONDS:g} s, {LIMIT_GIGABYTES:g} GB): {'kept' if good else 'MISSED'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
