"""Similarity in the demo: fingerprints, pairs and clusters, convergence, recipes; few lines each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from analytics.report import formats
from analytics.report.labels import functional_title
from analytics.report.section import Sources
from analytics.report.sections.contents import SHORT
from analytics.report.sections.subsets import gains_of
from flows.terminal import out
from lake.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analytics.convergence.convergence import Convergence
    from analytics.subsets.recipe import Recipe
    from analytics.subsets.saved import Subset
    from lake.store.lake import Lake

GRIDS = ("reference", "composition")
DOS_GRID = "dos-reference"
PAIRS_FROM = 0.75
"""Threshold of the pairs: the authors' lower one for clusters."""
CLUSTERS_FROM = 0.8
MOST_BLOCKS = 8
MOST_SIZES = 6


def run_similarity(lake: Lake, first: int = 3) -> None:
    """Run and show the four steps on a lake that holds calculations and densities of states.

    Args:
        lake: the lake; fingerprints, similarities, clusters and two subsets are written into it.
        first: the number of the first step.

    Raises:
        WorkerError: work that was spread over processes did not come to its end.
    """
    steps = (
        ("Fingerprint", "every density of states, and every composition", show_fingerprints),
        ("Similar", "all pairs, and clusters of them", show_similar),
        ("Convergence", "of the material with most calculations", show_convergence),
        ("Curate", "two homogeneous subsets", show_curate),
    )
    for number, (name, words, show) in enumerate(steps, start=first):
        out.print(f"[bold]{number}  {name}[/bold] {words}")
        show(lake)
        out.print()


def show_fingerprints(lake: Lake) -> None:
    """Make fingerprints and say how many, and why others cannot be compared."""
    from analytics.fingerprints.build import build
    from flows.fingerprint_tables import lines

    for grid in GRIDS:
        for line in lines(build(lake, grid)):
            out.print(line, soft_wrap=True, markup=False)


def show_similar(lake: Lake) -> None:
    """Find all similar pairs and their clusters; say how far databases agree."""
    from analytics.queries import run_query

    counts = run_query(lake, "fingerprint_counts").to_pylist()
    if not any(row["grid_id"] == DOS_GRID and row["reason"] is None for row in counts):
        out.print("No density of states can be compared, so there are no pairs.")
        return
    from analytics.similarity.clusters import cluster
    from analytics.similarity.run import all_pairs

    pairs = all_pairs(lake, DOS_GRID, PAIRS_FROM, aligned=True)
    alike = f" ({pairs.n_identical:,} more are identical to one of them)" if pairs.n_identical else ""
    out.print(
        f"{pairs.n_representatives:,} different fingerprints{alike}: {formats.counted(pairs.n_pairs, 'pair')} from "
        f"{PAIRS_FROM:g} on   ({pairs.seconds:.1f} s)", soft_wrap=True, markup=False,
    )
    clustered = cluster(lake, DOS_GRID, "greedy", CLUSTERS_FROM)
    lake.refresh()
    sizes = ", ".join(f"{size:,}" for size in clustered.sizes[:MOST_SIZES])
    more = f" and {clustered.n_clusters - MOST_SIZES:,} smaller ones" if clustered.n_clusters > MOST_SIZES else ""
    out.print(
        f"{formats.counted(clustered.n_clusters, 'cluster')} from {CLUSTERS_FROM:g} on"
        f"{f', of {sizes} calculations{more}' if sizes else ''}; {clustered.n_single:,} single",
        soft_wrap=True, markup=False,
    )
    for row in run_query(lake, "dos_agreement", {"grid": DOS_GRID}).to_pylist():
        out.print(
            f"{row['left_source']} and {row['right_source']} agree in {row['n_agreeing_materials']:,} of "
            f"{formats.counted(row['n_common_materials'], 'common material')}", soft_wrap=True, markup=False,
        )


def show_convergence(lake: Lake) -> None:
    """What the settings do to the densities of states of the material with most calculations."""
    from analytics.convergence.convergence import convergence_of
    from analytics.queries import run_query
    from analytics.report.numbers import facts_of

    most = run_query(lake, "comparable_materials", {"grid": DOS_GRID, "limit": "1"}).to_pylist()
    if not most:
        out.print("No material has two comparable densities of states.")
        return
    found = convergence_of(lake, most[0]["material_key"], DOS_GRID)
    out.print(f"{found.key}: {formats.counted(len(found.ids), 'calculation')}", markup=False)
    out.print(_means(found))
    for fact in facts_of(found):
        out.print(fact, soft_wrap=True, markup=False)


def show_curate(lake: Lake) -> None:
    """Make two subsets, by hard rules and by a rule learned from similarities, and say what that bought."""
    from analytics.subsets.curate import curate

    for recipe in recipes():
        try:
            _show_subset(curate(lake, recipe))
        except InputError as error:
            # Other samples than the shipped ones may have nothing that the recipe asks for.
            out.print(str(error), soft_wrap=True, markup=False)


def recipes() -> Sequence[Recipe]:
    """The paper's filter for energies of AFLOW and MP, and settings with which densities of states agree."""
    from analytics.subsets.recipe import Learn, Recipe

    return (
        Recipe("pbe-energies", functional="pbe", sources=("aflow", "mp"),
               complete=("formation_energy_ev_per_atom", "band_gap_ev")),
        Recipe("alike-by-dos", learn=Learn(grid=DOS_GRID)),
    )


def _means(found: Convergence) -> Table:
    """Mean coefficients within and between the blocks of a functional and a k-mesh, or of a functional."""
    blocks = next((b for b in reversed(found.blocks) if len(b.runs) <= MOST_BLOCKS), found.blocks[0])
    runs = blocks.runs[:MOST_BLOCKS]
    table = Table(header_style="dim", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("mean coefficient of")
    for number in range(1, len(runs) + 1):
        table.add_column(str(number), justify="right")
    for number, run in enumerate(runs):
        means: list[Any] = blocks.between[number, :len(runs)].tolist()
        words = " · ".join((functional_title(run.words[0]), *run.words[1:]))
        table.add_row(f"{number + 1}  {words}", *(formats.number(mean) for mean in means))
    return table


def _show_subset(subset: Subset) -> None:
    """Rules in words, rows after each rule that left any out, and homogeneity before and after."""
    sources = Sources(tuple(subset.counts_by_source), SHORT)
    rows = " → ".join(f"{step['rows']:,}" for step in subset.funnel["steps"] if step["left_out"] or step["sql"] is None)
    members = ", ".join(f"{sources.short(source)} {n:,}" for source, n in subset.counts_by_source.items())
    out.print(f"{subset.name} version {subset.version}", style="bold", markup=False)
    out.print(f"  {subset.sentence}", soft_wrap=True, markup=False)
    out.print(f"  rows: {rows} ({members}; {formats.counted(subset.n_materials, 'material')})", markup=False)
    for gain in gains_of(subset.gain, sources):
        out.print(f"  {gain.what}: {gain.before} → {gain.after}, {gain.n}", soft_wrap=True, markup=False)
