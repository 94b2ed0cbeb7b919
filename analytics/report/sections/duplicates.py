"""Materials that a database holds many times, with the spread of their values."""

from __future__ import annotations

from analytics.report.ask import KEY_WORDS, Asker
from analytics.report.section import Caption, Section, Sources, cut

MOST_ROWS = 30


def section(asker: Asker, sources: Sources) -> Section:
    """The most frequent materials, and how many rows repeat one."""
    title = "Duplicates"
    lead = (
        "Materials that one database holds several times. The spread says how far its own values differ for one "
        "material."
    )
    rows = asker.rows("duplicates", key_kind="cell_key", limit=str(MOST_ROWS + 1))
    if not rows:
        return Section("duplicates", title, lead, nothing="No database of this lake holds a material twice.")
    keyed = {r["source"]: r["known_rows"] for r in asker.rows("coverage") if r["column_name"] == "cell_key"}
    unique = {r["source"]: r["n_cell_keys"] for r in asker.rows("sources")}
    repeated = [(s, keyed.get(s, 0) - unique.get(s, 0), keyed.get(s, 0)) for s in sources.names]
    table, more = cut(rows, MOST_ROWS)
    return Section("duplicates", title, lead, {
        "rows": table, "more": bool(more), "most": MOST_ROWS,
        "repeated": [r for r in repeated if r[2]],
        "caption": Caption(
            "The most frequent materials: median, and in brackets smallest to largest value. All functionals "
            f"are counted, so a spread may come from different ones. Same material: {KEY_WORDS['cell_key']}.",
            asker.made_from("calculations"), f"{sum(r['n_rows'] for r in table):,} calculations in this table",
            "withdrawn records left out"),
    })
