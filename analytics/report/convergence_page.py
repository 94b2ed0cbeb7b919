"""One material's convergence as a page of its own, from the same pieces as the report."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from analytics.report.material import material_of
from analytics.report.page import environment_of, inline, lake_name
from analytics.report.redaction import Secrets
from analytics.report.section import Sources
from analytics.report.sections.contents import SHORT
from analytics.report.view import Origin, shown_material
from lake import __version__

if TYPE_CHECKING:
    from analytics.convergence.convergence import Convergence
    from lake.store.lake import Lake

TABLES = ("fingerprints", "calculations", "dos")


def convergence_page(lake: Lake, convergence: Convergence, now: datetime | None = None) -> str:
    """A self-contained HTML page on one material: for ``matlake convergence KEY --output FILE.html``.

    It holds the similarity matrix with its blocks and strips (of more than 500 calculations a sample), the means by
    difference in settings, the effects of the settings, where they are converged, and a few pairs that can be zoomed
    into. Nothing is loaded from a network; the page is readable without script; secrets of the settings are blotted.

    Args:
        lake: where the spectra of the pairs are read from; nothing is written.
        convergence: what :func:`analytics.convergence.convergence.convergence_of` found in it; one calculation is
            enough, though there are no pairs then.
        now: the time that the page states; default: the present.

    Returns:
        The whole page as text, to be written as UTF-8.

    Raises:
        InputError: the grid of the fingerprints has another definition than this matlake's.
    """
    from analytics.report.compared import pairs_of
    from analytics.similarity.reading import dos_grid, few_tables

    secrets = Secrets.of(lake.settings)
    versions = lake.versions()
    made_from = tuple(f"{name}@{versions[name]}" for name in TABLES if name in versions)
    names = tuple(sorted({row["source"] for row in convergence.rows.select(["source"]).to_pylist()}))
    sources = Sources(names, {name: SHORT.get(name, name) for name in names})
    material = material_of(convergence, secrets)
    with few_tables(lake) as connection:
        grid = dos_grid(connection, convergence.grid_id)
        pairs = pairs_of(connection, material, convergence, grid) if grid else []
    shown = shown_material(
        convergence, material, pairs, Origin(made_from, convergence.grid_id, secrets, grid is not None), sources.colour
    )
    return environment_of(sources).get_template("convergence.html.j2").render(
        shown=shown, sources=sources, lake=lake_name(lake), now=now or datetime.now(UTC), version=__version__,
        made_from=made_from, set_aside=secrets.blotted(convergence.set_aside.to_pylist()), **inline(),
    )
