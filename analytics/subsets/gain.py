"""What homogeneity bought: spread within materials and offset between databases, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from analytics.subsets.selection import Selection

QUANTITIES = {"formation_energy_ev_per_atom": "eV/atom", "band_gap_ev": "eV"}


def gain_of(selection: Selection, members: pa.Table, correction: dict[str, Any] | None) -> dict[str, Any]:
    """Spread and offsets of formation energy and gap among all rows of known material, and among the members.

    Returns:
        ``within``: per quantity and stage (before, after), over materials with two values or more, the medians of
        range, MAD and interquartile range; ``within_same_materials``: the same over the materials that have two
        values at both stages; ``between``: per quantity, stage and pair of databases the median offset with its
        95 % bootstrap interval, MAD, and number of common materials. ``words`` say what it comes to. In the unit of
        the quantity. Where there is nothing to say there is no entry, and the words say so.
    """
    _values(selection, members)
    within = selection.rows("from within_material_spread('gain_values')").to_pylist()
    selection.connection.execute(
        "create or replace temp table gain_common as select * from gain_values semi join "
        "(select quantity, material_key from gain_values group by quantity, material_key "
        "having count(*) filter (where stage = 'before') > 1 and count(*) filter (where stage = 'after') > 1) "
        "as twice using (quantity, material_key)"
    )
    same = selection.rows("from within_material_spread('gain_common')").to_pylist()
    between = selection.rows("from between_source_offsets('gain_values')").to_pylist()
    return {
        "units": QUANTITIES, "within": within, "within_same_materials": same, "between": between,
        "words": [*_words_within(within, same), *_words_between(between), *_words_corrected(correction)],
    }


def _values(selection: Selection, members: pa.Table) -> None:
    """The table gain_values: quantity, stage, source, material_key, value."""
    selection.connection.register("members_given", members)
    selection.connection.execute("create or replace temp table members_now as select * from members_given")
    selection.connection.unregister("members_given")
    selection.connection.execute(
        "create or replace temp table gain_values as from values_before_and_after('judged', 'members_now')"
    )


def _words_within(within: list[dict[str, Any]], same: list[dict[str, Any]]) -> list[str]:
    lines = []
    for quantity, unit in QUANTITIES.items():
        before, after = (_find(within, quantity, stage) for stage in ("before", "after"))
        pair = [_find(same, quantity, stage) for stage in ("before", "after")]
        if before is None:
            lines.append(f"{quantity}: no material has two values, so there is no spread to compare.")
        elif after is None:
            lines.append(
                f"{quantity}: the median range within a material was {_number(before['median_range'])} {unit} "
                f"({before['n_materials']:,} materials); no material has two values in the subset."
            )
        else:
            text = (
                f"{quantity}: median range within a material {_number(before['median_range'])} → "
                f"{_number(after['median_range'])} {unit} ({before['n_materials']:,} → {after['n_materials']:,} "
                "materials with two values or more)"
            )
            if pair[0] and pair[1]:
                text += (
                    f"; over the {pair[0]['n_materials']:,} that have them at both ends "
                    f"{_number(pair[0]['median_range'])} → {_number(pair[1]['median_range'])} {unit}"
                )
            lines.append(text + ".")
    return lines


def _words_between(between: list[dict[str, Any]]) -> list[str]:
    lines = []
    pairs = sorted({(e["quantity"], e["left_source"], e["right_source"]) for e in between})
    for quantity, left, right in pairs:
        unit = QUANTITIES[quantity]
        of_pair = [e for e in between if (e["left_source"], e["right_source"]) == (left, right)]
        parts = [_offset(_find(of_pair, quantity, stage), unit) for stage in ("before", "after")]
        lines.append(f"{quantity}, {right} minus {left}: {parts[0]} → {parts[1]}.")
    if not pairs:
        lines.append("No material is in two databases, so there is no offset between databases.")
    return lines


def _words_corrected(correction: dict[str, Any] | None) -> list[str]:
    """The offset that is left on the fitted materials flatters a fit; on those left out it does not."""
    lines = []
    for fit in correction["fits"] if correction else ():
        held_out = fit.get("mae_after_cross_validated_ev_per_atom")
        if held_out is None:
            lines.append(f"The correction of {fit['source']} rests on too few materials to be tested on others.")
            continue
        before = fit["mae_before_ev_per_atom"]
        verdict = "" if held_out < before else ": there it is no better than none"
        lines.append(
            f"The offsets after include the materials that the correction of {fit['source']} was fitted to; on "
            f"materials left out of the fit the mean absolute offset goes {_number(before)} → {_number(held_out)} "
            f"eV/atom{verdict}."
        )
    return lines


def _offset(entry: dict[str, Any] | None, unit: str) -> str:
    if entry is None:
        return "no common materials"
    ends = [entry["median_low"], entry["median_high"]]
    interval = "too few for an interval" if None in ends else f"95 % [{', '.join(map(_number, ends))}]"
    return (
        f"{_number(entry['median'])} {unit} ({interval}; MAD {_number(entry['mad'])}; "
        f"{entry['n_materials']:,} common materials)"
    )


def _find(entries: list[dict[str, Any]], quantity: str, stage: str) -> dict[str, Any] | None:
    return next((e for e in entries if (e["quantity"], e["stage"]) == (quantity, stage)), None)


def _number(value: float) -> str:
    return f"{value:.3f}"
