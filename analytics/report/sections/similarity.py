"""How alike the densities of states of one material are, and how far databases agree in them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from analytics.report.ask import KEY_WORDS, Asker
from analytics.report.formats import counted
from analytics.report.section import Caption, Section, Sources, cut
from lake.errors import InputError

if TYPE_CHECKING:
    from analytics.report.view import Shown

TITLE = "Similarity"
LEAD = (
    "How alike are calculations of one material? A fingerprint counts the states per energy interval; two of them "
    "are compared by the Tanimoto coefficient, what both count divided by what either counts: 1 is identical, 0 has "
    "nothing in common."
)
PREFERRED_GRID = "dos-reference"
MOST_MATERIALS = 3
MOST_OTHERS = 10
MOST_BYTES = 1_200_000
"""What the figures of all materials together may weigh."""


def section(asker: Asker, sources: Sources) -> Section:
    """The materials with most comparable calculations, what was set aside, clusters, agreement of databases."""
    counts = asker.rows("fingerprint_counts")
    grid_id = _grid_id(counts)
    if grid_id is None:
        return Section("similarity", TITLE, LEAD, nothing=(
            "There are no fingerprints of densities of states in this lake yet. Make them with matlake fingerprint; "
            "matlake similar --threshold 0.75 then finds the pairs, matlake cluster the clusters."
        ))
    of_grid = [row for row in counts if row["grid_id"] == grid_id]
    candidates = _candidates(asker, grid_id)
    shown, obstacle = _shown(asker, sources, grid_id, [row["material_key"] for row in candidates[:MOST_MATERIALS]])
    others, more = cut(asker.secrets.blotted(candidates[len(shown):]), MOST_OTHERS)
    agreement = asker.rows("dos_agreement", grid=grid_id)
    clusterings = [row for row in asker.rows("clusterings") if row["grid_id"] == grid_id]
    of_all = counted(sum(row["n_calculations"] for row in of_grid), "calculation")
    on_grid = f"grid {grid_id}"
    return Section("similarity", TITLE, LEAD, {
        "grid_id": grid_id, "materials": shown, "obstacle": obstacle, "others": others,
        "more": bool(more), "names": sources.names,
        "reasons": _reasons(of_grid, sources), "agreement": agreement, "clusterings": clusterings,
        "listed": any(row["threshold"] is not None for row in agreement),
        "reasons_caption": Caption(
            "Calculations with a fingerprint of their density of states, and why others have none.",
            asker.made_from("fingerprints", "dos"), of_all, on_grid),
        "others_caption": Caption(
            "Materials with most comparable densities of states after those above; matlake convergence KEY shows one.",
            asker.made_from("fingerprints", "calculations"), counted(len(others), "material"), on_grid),
        "agreement_caption": Caption(
            "Materials that two databases have in common, both with a comparable density of states, and those of them "
            "for which a pair of the two is listed in `similarities`. Same material: "
            f"{KEY_WORDS['reduced_key']}.",
            asker.made_from("similarities", "similarity_groups", "fingerprints", "calculations"),
            counted(sum(row["n_common_materials"] for row in agreement), "common material"), on_grid),
        "clusterings_caption": Caption(
            "Clusters of similar densities of states. Greedy: every member is at least as similar to its centre as the "
            "threshold says; components: there is a chain of similar pairs between any two members.",
            asker.made_from("clusters", "calculations"), counted(len(clusterings), "clustering"), on_grid),
    })


def _grid_id(counts: list[dict[str, Any]]) -> str | None:
    """The reference's grid where there is one, else that with most fingerprints."""
    comparable: dict[str, int] = defaultdict(int)
    for row in counts:
        if row["kind"] == "dos":
            comparable[row["grid_id"]] += row["n_calculations"] if row["reason"] is None else 0
    if PREFERRED_GRID in comparable:
        return PREFERRED_GRID
    return min(comparable, key=lambda grid: (-comparable[grid], grid), default=None)


def _candidates(asker: Asker, grid_id: str) -> list[dict[str, Any]]:
    """Materials with two comparable calculations or more; their keys are asked for again, so nothing is blotted."""
    from analytics.queries import run_on

    limit = str(MOST_MATERIALS + MOST_OTHERS + 1)
    found: list[dict[str, Any]] = run_on(
        asker.connection, "comparable_materials", {"grid": grid_id, "limit": limit}).to_pylist()
    return found


def _shown(asker: Asker, sources: Sources, grid_id: str, keys: list[str]) -> tuple[list[Shown], str | None]:
    """The materials that are drawn (the first one, and more as long as the page stays small), or why there are none."""
    if not keys:
        return [], "No material has two comparable densities of states, so there is no matrix to show."
    from analytics.report.compared import convergence_at, pairs_of
    from analytics.report.material import material_of
    from analytics.report.view import Origin, shown_material
    from analytics.similarity.reading import dos_grid

    try:
        grid = dos_grid(asker.connection, grid_id)
    except InputError as error:
        return [], str(error)
    if grid is None:
        return [], f"The lake does not say what the grid {grid_id} is: matlake fingerprint makes them again."
    origin = Origin(asker.made_from("fingerprints", "calculations", "dos"), grid_id, asker.secrets)
    found: list[Shown] = []
    weight = 0
    for key in keys:
        convergence, n_comparable = convergence_at(asker.connection, key, grid)
        material = material_of(convergence, asker.secrets, n_comparable)
        pairs = pairs_of(asker.connection, material, convergence, grid)
        shown = shown_material(convergence, material, pairs, origin, sources.colour)
        weight += shown.weight
        if found and weight > MOST_BYTES:
            break
        found.append(shown)
    return found, None


def _reasons(counts: list[dict[str, Any]], sources: Sources) -> list[tuple[str, list[tuple[str, int]]]]:
    """Words and counts by database: those with a fingerprint first, then reasons, the most frequent first."""
    found: dict[str | None, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in counts:
        found[row["reason"]][row["source"]] += row["n_calculations"]
    ordered = sorted(found, key=lambda reason: (reason is not None, -sum(found[reason].values()), reason or ""))
    return [
        ("comparable" if reason is None else reason.replace("_", " "), [(s, found[reason][s]) for s in sources.names])
        for reason in ordered
    ]
