"""`make demo`: the main job on the shipped records, from saved replies to a report, in about a minute."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from lake.errors import InputError, MatlakeError

SOURCES = ("aflow", "mp", "nomad")
MARKER = ".made-by-matlake-demo"


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m flows.demo", description=__doc__)
    parser.add_argument("--samples", type=Path, default=Path("samples"), help="folder with a folder per source")
    parser.add_argument("--lake", type=Path, default=Path("build/demo-lake"), help="folder of the demo's lake")
    given = parser.parse_args(arguments)
    try:
        run(given.samples, given.lake)
    except MatlakeError as error:
        print(f"matlake demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("matlake demo: interrupted; make demo starts anew.", file=sys.stderr)
        return 130
    return 0


def run(samples: Path, folder: Path) -> Path:
    """Ingest, compare, find what is alike, carve subsets, train models, report.

    Args:
        samples: saved replies, in a folder per source.
        folder: the lake; made anew.

    Returns:
        The report.

    Raises:
        InputError: samples are missing, or the folder holds something that no demo made.
        IncompleteError: a saved reply cannot be read.
    """
    from analytics.report import write_report
    from flows.demo_models import run_models
    from flows.demo_similarity import run_similarity
    from flows.demo_summary import show_comparison
    from flows.terminal import ingest_with_progress, out
    from lake.store.lake import Lake

    absent = [name for name in SOURCES if not (samples / name).is_dir()]
    if absent:
        raise InputError(f"{samples} has no folder {', '.join(absent)}: run the demo from the repository's root.")
    started = time.monotonic()
    prepare(folder)
    lake = Lake.open(str(folder))
    out.print("[bold]1  Ingest[/bold] the shipped records of three databases")
    for name in SOURCES:
        ingest_with_progress(lake, name, {}, [str(samples / name)], None, None)
    out.print("\n[bold]2  Compare[/bold] what they have in common")
    show_comparison(lake)
    run_similarity(lake, first=3)
    run_models(lake, 7)
    out.print("[bold]8  Report[/bold]")
    report = write_report(lake, folder / "report.html")
    out.print(f"{report}  ({report.stat().st_size / 1000:,.0f} kB)", soft_wrap=True, markup=False)
    show_next(lake, folder, report)
    out.print(f"Done in {time.monotonic() - started:.0f} s.")
    return report


def prepare(folder: Path) -> None:
    """Make the demo's folder anew; only one that a demo made is removed.

    Raises:
        InputError: there is something else, or the folder cannot be made.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder} is no folder: give the demo another one, --lake FOLDER.")
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / MARKER).is_file():
            raise InputError(
                f"{folder} was not made by the demo (it lacks {MARKER}), so it stays as it is: "
                "give another folder, --lake FOLDER."
            )
        shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARKER).write_text("A lake made by `make demo`, which removes and makes it again.\n")
    except OSError as error:
        raise InputError(f"The demo's folder {folder} cannot be made: {error.strerror or error}.") from None


def show_next(lake: object, folder: Path, report: Path) -> None:
    """Where everything is, and what to try."""
    from flows.terminal import out
    from lake.store.lake import Lake

    assert isinstance(lake, Lake)
    command = Path(sys.executable).with_name("matlake")
    try:
        matlake = str(command.relative_to(Path.cwd())) if command.exists() else "matlake"
    except ValueError:
        matlake = str(command)
    lines = (
        "",
        "Everything is here",
        f"  lake       {folder}",
        f"  catalogue  {lake.catalogue_path}  (any DuckDB client reads it)",
        f"  report     {report}",
        "",
        "Try next",
        f"  export MATLAKE_ROOT={folder}",
        f"  {matlake} status",
        f"  {matlake} sql overlap",
        f"  {matlake} sql energy_offsets --param by=element",
        f"  {matlake} sql \"select source, count(*) from calculations where band_gap_ev > 3 group by source\"",  # noqa: S608
        f"  {matlake} similar --within BN_194",
        f"  {matlake} convergence BN_194 --output {folder / 'BN_194.html'}",
        f"  {matlake} curate pbe-energies --show",
        f"  {matlake} train --subset pbe-energies --model schnet --members 3 --name energies",
        f"  {matlake} models",
        f"  {matlake} cite",
        "",
    )
    for line in lines:
        out.print(line, soft_wrap=True, markup=False)


if __name__ == "__main__":
    sys.exit(main())
