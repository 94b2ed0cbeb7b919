"""What `matlake curate` does and shows: results on stdout, everything else on stderr."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from analytics.subsets.compare import difference, left_out, verify
from analytics.subsets.curate import curate, made
from analytics.subsets.pinned import present_versions
from analytics.subsets.recipe import Recipe, check_name, read_recipe
from analytics.subsets.saved import Subset, find, saved
from flows.terminal import check_format as check_any_format
from flows.terminal import emit, err, out, show_table
from lake.errors import InputError, SettingsError, TableError
from lake.store.lake import Lake

MOST_IDS = 5


def check_format(format_: str, output: Path | None, lists: bool) -> None:
    """Refuse a format that the result does not have, before anything is done.

    Raises:
        SettingsError: it is a table where only objects are, or none at all.
    """
    check_any_format(format_, output)
    if not lists and format_ not in ("table", "json"):
        raise SettingsError(f"--format {format_}: a subset is no table; table or json. Its members are one: "
                            "matlake sql \"from subset_members_current where subset = '…'\".")


def recipe_of(
    lake: Lake, name: str, file: Path | None, options: Mapping[str, Any], learned: Mapping[str, Any], learn: bool
) -> Recipe:
    """The recipe that file and options give; without any, the newest one of that name.

    Raises:
        InputError: nothing is given and the name is new, or a field is wrong.
    """
    check_name(name)
    given: dict[str, Any] = read_recipe(file) if file else {}
    if not given and not options and not learn:
        known = saved(lake, name)
        if not known:
            raise InputError(
                f"There is no subset {name} yet: say what belongs into it, such as --functional pbe "
                "--complete formation_energy_ev_per_atom,band_gap_ev, --where \"n_elements = 2\", or --recipe FILE."
            )
        return known[-1].recipe
    if given.get("name", name) != name:
        raise InputError(f"The recipe {file} is that of {given['name']!r:.80}, and {name} was asked for.")
    given |= options
    if learn or learned:
        before = given.get("learn")
        given["learn"] = (dict(before) if isinstance(before, Mapping) else {}) | dict(learned)
    return Recipe.of(given | {"name": name})


def make(lake: Lake, recipe: Recipe, format_: str, output: Path | None, save: bool) -> None:
    """Curate and show; with ``save`` false, show what would be saved."""
    if not save:
        with made(lake, recipe, present_versions(lake, recipe)) as result:
            _show(result.subset, format_, output)
            err.print("not saved (--dry-run)")
        return
    subset = curate(lake, recipe)
    if subset.is_new:
        lake.refresh()
    _show(subset, format_, output)
    same = [s.version for s in saved(lake, subset.name)
            if s.version != subset.version and s.members_sha256 == subset.members_sha256]
    if not subset.is_new:
        err.print(f"{subset.name} {subset.version} is unchanged: the same recipe on the same table versions.")
    elif same:
        err.print(f"{subset.name} {subset.version} is saved; it has the same members as version {same[-1]}.")
    else:
        err.print(f"{subset.name} {subset.version} is saved.")


def show(lake: Lake, name: str, version: int | None, format_: str, output: Path | None) -> None:
    """Show a saved version."""
    _show(find(lake, name, version), format_, output)


def show_list(lake: Lake, name: str | None, format_: str, output: Path | None) -> None:
    """The versions of all subsets, or of one."""
    columns = ("subset", "version", "n_members", "n_materials", "sentence", "created_at")
    rows = [{column: subset.row()[column] for column in columns} for subset in saved(lake, name)]
    if name is not None and not rows:
        find(lake, name)
    schema = pa.schema([
        ("subset", pa.string()), ("version", pa.int64()), ("n_members", pa.int64()), ("n_materials", pa.int64()),
        ("sentence", pa.string()), ("created_at", pa.timestamp("us", tz="UTC")),
    ])
    emit(pa.Table.from_pylist(rows, schema), format_, output)


def show_left_out(lake: Lake, name: str, version: int | None, format_: str, output: Path | None) -> None:
    """Every row that a version left out."""
    emit(left_out(lake, name, version), format_, output)


def show_verdict(lake: Lake, name: str, version: int | None, format_: str, output: Path | None) -> None:
    """Run a version again.

    Raises:
        TableError: it does not give what was written down.
    """
    verdict = verify(lake, name, version)
    label = f"{name} {verdict.subset.version}"
    if format_ == "json" or output:
        _write({"subset": name, "version": verdict.subset.version, "stored": verdict.stored,
                "repeated": verdict.repeated, "missing": verdict.missing, "added": verdict.added}, output)
    elif verdict.holds:
        out.print(f"{label}: {verdict.subset.n_members:,} members, as written down and as the recipe gives again.",
                  soft_wrap=True)
    if not verdict.stored:
        raise TableError(f"{label}: the members in the lake are not those that were written down.")
    if not verdict.repeated:
        raise TableError(
            f"{label}: run again on its table versions, the recipe lacks {verdict.missing:,} of the members, gives "
            f"{verdict.added:,} others, and other values for the rest where both are 0. It was made by matlake "
            f"{verdict.subset.matlake_version}."
        )


def show_difference(lake: Lake, name: str, one: int, two: int, format_: str, output: Path | None) -> None:
    """What changed between two versions."""
    found = difference(lake, name, one, two)
    if format_ == "json" or output:
        _write(found, output)
        return
    out.print(f"{name} {one} → {two}: {found['n_members'][0]:,} → {found['n_members'][1]:,} members")
    for what, label in (("recipe", "recipe"), ("tables", "table version")):
        for field, (before, after) in found[what].items():
            out.print(f"  {label} {field}: {before} → {after}", markup=False, soft_wrap=True)
    for what in ("removed", "added"):
        out.print(f"  {what} {len(found[what]):,}", soft_wrap=True)
        for reason in found[f"{what}_because"]:
            version = two if what == "removed" else one
            out.print(f"    {reason['n']:,} of {reason['source']}: in version {version} {reason['step']}: "
                      f"{reason['reason']}", markup=False, soft_wrap=True)
        shown = ", ".join(found[what][:MOST_IDS])
        if shown:
            out.print(f"    {shown}{', …' if len(found[what]) > MOST_IDS else ''}", markup=False, soft_wrap=True)
    if found["changed"]:
        out.print(f"  {len(found['changed']):,} others have another energy, split or key")


def _show(subset: Subset, format_: str, output: Path | None) -> None:
    if format_ == "json" or output:
        _write(as_dict(subset), output)
        return
    out.print(f"[bold]{subset.name}[/bold] {subset.version or '(not saved)'}", soft_wrap=True)
    out.print(subset.sentence, markup=False, soft_wrap=True)
    out.print()
    show_table(funnel_table(subset))
    by_source = ", ".join(f"{source} {n:,}" for source, n in subset.counts_by_source.items())
    splits = ", ".join(f"{split} {n:,}" for split, n in subset.funnel["splits"].items())
    out.print(f"{subset.n_members:,} members of {_materials(subset.n_materials)}: {by_source or 'none'}",
              soft_wrap=True)
    out.print(f"splits: {splits or 'none'}", soft_wrap=True)
    for line in learned_words(subset.funnel["learned"]):
        out.print(line, markup=False, soft_wrap=True)
    out.print("\nWhat it bought")
    for line in subset.gain["words"]:
        out.print(f"  {line}", markup=False, soft_wrap=True)
    versions = ", ".join(f"{table} {v if v >= 0 else 'empty'}" for table, v in subset.table_versions.items())
    err.print(f"table versions: {versions}; members {subset.members_sha256[:12]}", soft_wrap=True)


def funnel_table(subset: Subset) -> pa.Table:
    """The funnel as a table: rows and materials by step, rows by database, and what was left out."""
    steps = subset.funnel["steps"]
    columns: dict[str, list[Any]] = {
        "step": [s["step"] for s in steps], "rows": [s["rows"] for s in steps],
        "materials": [s["materials"] for s in steps],
    }
    for source in sorted({source for s in steps for source in s["by_source"]}):
        columns[source] = [s["by_source"][source]["rows"] for s in steps]
    columns["left out"] = [s["left_out"] for s in steps]
    columns["because"] = [s["otherwise"] if s["left_out"] else "" for s in steps]
    return pa.table(columns)


def learned_words(learned: Mapping[str, Any] | None) -> list[str]:
    """What was learned, from how much, and how it does on calculations that it was not learned from."""
    if learned is None:
        return []
    head = (
        f"learned from {learned['n_calculations']:,} calculations of {_materials(learned['n_materials'])} on "
        f"{learned['grid_id']}, {learned['n_similar']:,} of them at least {learned['similarity']:g} like "
        "their reference"
    )
    trial = learned["trial"]
    if trial is None or not trial["n_pass"]:
        return [head]
    tested = (
        f"on {trial['left_out']} left out: {_share(trial, 'precision')} of those that pass are alike "
        f"({trial['n_pass_similar']} of {trial['n_pass']}; without a rule {trial['share_without']:.0%}), and "
        f"{_share(trial, 'recall')} of those that are alike pass"
    )
    if trial["left_out"] == "materials":
        return [head, tested]
    return [head, tested, "too few materials to leave whole ones out: how far the rule holds for others is not known"]


def _materials(n: int) -> str:
    return f"{n:,} material{'' if n == 1 else 's'}"


def _share(trial: Mapping[str, Any], name: str) -> str:
    low, high = trial[f"{name}_interval"]
    return f"{trial[name]:.0%} (95 % {low:.0%} to {high:.0%})"


def as_dict(subset: Subset) -> dict[str, Any]:
    """All of a subset as plain values, JSON columns as objects."""
    import json

    row = subset.row()
    return {
        **{name: row[name] for name in ("subset", "version", "sentence", "predicate_sql", "n_members", "n_materials")},
        "is_new": subset.is_new, "recipe": json.loads(row["recipe_json"]),
        "table_versions": subset.table_versions, "counts_by_source": subset.counts_by_source,
        "funnel": subset.funnel, "gain": subset.gain, "recipe_sha256": subset.recipe_sha256,
        "members_sha256": subset.members_sha256, "matlake_version": subset.matlake_version,
        "created_at": subset.created_at.isoformat(),
    }


def _write(value: Any, output: Path | None) -> None:
    import sys

    import orjson

    content = orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"
    if output:
        output.write_bytes(content)
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
