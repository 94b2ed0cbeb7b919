"""`matlake cluster`: clusters of similar calculations."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.options import Format, Output, Root, open_lake


def command(
    ctx: typer.Context,
    method: Annotated[str, typer.Option("--method", help="greedy, or components: quick, but it chains.")] = "greedy",
    threshold: Annotated[
        float, typer.Option("--threshold", "-t", help="Similarity from which two calculations are neighbours.")
    ] = 0.8,
    grid: Annotated[str, typer.Option("--grid", help="Grid of the fingerprints, by name or id.")] = "reference",
    limit: Annotated[int, typer.Option("--limit", min=0, help="Clusters to show; all of them are stored.")] = 20,
    format_: Format = "table",
    output: Output = None,
    root: Root = None,
) -> None:
    """Cluster calculations by the pairs that `matlake similar --threshold` listed."""
    from analytics.fingerprints import kinds
    from analytics.queries import run_query
    from analytics.similarity.clusters import cluster
    from flows.terminal import check_format, emit, err

    check_format(format_, output)
    lake = open_lake(ctx, root)
    grid_id = kinds.find(grid, lake).grid_id
    found = cluster(lake, grid_id, method, threshold)
    lake.refresh()
    rows = run_query(lake, "clusters", {
        "grid": grid_id, "method": method, "threshold": repr(threshold), "limit": str(limit),
    })
    emit(rows, format_, output)
    # The result alone goes to stdout, so that it can be piped.
    err.print(
        f"{found.n_calculations:,} calculations: {sum(found.sizes):,} in {found.n_clusters:,} clusters, "
        f"{found.n_single:,} single ({method} at {threshold:g} on {grid_id}; table clusters, version "
        f"{found.clusters_version}, from similarities, version {found.similarities_version})", soft_wrap=True,
    )
