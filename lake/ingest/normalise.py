"""Pages in, Arrow tables out: what a worker process does, without any commit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from lake.crystal.columns import add_structure_columns
from lake.errors import MatlakeError
from lake.ingest.arrow import to_arrow
from lake.ingest.documents import PageBody, decode
from lake.ingest.items import Item, derive, identify
from lake.ingest.outcome import Outcome, Place
from lake.ingest.rejects import add_rejects, reject_id
from lake.sources import find
from lake.sources.base import Context, Source
from lake.sources.batch import Batch, Reject
from lake.store.delta import lookup
from lake.store.root import Root
from lake.tables import TABLES


def normalise_pages(
    source_name: str, root: Root, options: Mapping[str, str], pages: Sequence[PageBody]
) -> Outcome:
    """Normalise some pages of one source against the lake as it is now; commits nothing."""
    source = find(source_name)
    outcome = Outcome()
    rejects: list[tuple[Item, Reject]] = []
    items = list(_items(source, pages, outcome))
    identify(source, items, rejects)
    items += derive(source, items)
    groups: dict[tuple[str, str, str], list[Item]] = defaultdict(list)
    for item in _changed(source_name, root, items, outcome):
        assert item.identity is not None
        groups[item.identity.table, item.kind, item.page.origin].append(item)
    parts: dict[Place, list[pa.Table]] = defaultdict(list)
    for (table, kind, origin), group in groups.items():
        built = _rows(source, table, kind, Context(options, origin), group, rejects)
        parts[table, group[0].derived].append(built)
    for place, tables in parts.items():
        outcome.rows[place] = pa.concat_tables(tables)
    add_rejects(source_name, rejects, outcome)
    refused = {id(item) for item, _ in rejects}
    outcome.cleared = [
        reject_id(source_name, item) for group in groups.values() for item in group if id(item) not in refused
    ]
    return outcome


def _items(source: Source, pages: Sequence[PageBody], outcome: Outcome) -> Iterable[Item]:
    for page in pages:
        try:
            kind, records = source.records(decode(source, page.body, page.origin), page.origin)
        except MatlakeError as error:
            outcome.unreadable[page.fetch_id] = str(error)
            continue
        records = records if page.take is None else records[: page.take]
        outcome.records[page.fetch_id] += len(records)
        for position, record in enumerate(records):
            yield Item(record, page, position, kind)


def _changed(source: str, root: Root, items: list[Item], outcome: Outcome) -> list[Item]:
    """The items whose record is not in the lake yet just as it is.

    What a document on something else tells of a calculation yields to the calculation's own record.
    """
    by_table: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.identity is not None:
            by_table[item.identity.table].append(item)
    result = []
    for name, group in by_table.items():
        ids = [f"{source}/{item.identity.source_id}" for item in group if item.identity]
        found = lookup(root, name, source, ids, ["calculation_id", "record_sha256"])
        known = dict(zip(found.column(0).to_pylist(), map(dict, found.column(1).to_pylist()), strict=True))
        own = {calculation_id for calculation_id, item in zip(ids, group, strict=True) if not item.derived}
        for calculation_id, item in zip(ids, group, strict=True):
            views = known.get(calculation_id, {})
            if views.get(item.view) == item.digest:
                outcome.unchanged += not item.derived
            elif not (item.derived and name == "calculations" and (calculation_id in own or set(views) - {item.view})):
                result.append(item)
    return result


def _rows(
    source: Source, table: str, kind: str, context: Context, items: list[Item],
    rejects: list[tuple[Item, Reject]],
) -> pa.Table:
    batch = Batch([item.record for item in items], table)
    try:
        _fill(source, batch, kind, context)
    except Exception as error:  # noqa: BLE001 - one odd record must not cost the others
        if len(items) == 1:
            rejects.append((items[0], Reject("cannot_normalise", f"{type(error).__name__}: {error}"[:500])))
            return TABLES[table].schema.empty_table()
        half = len(items) // 2
        left = _rows(source, table, kind, context, items[:half], rejects)
        right = _rows(source, table, kind, context, items[half:], rejects)
        return pa.concat_tables([left, right])
    _set_provenance(source, batch, kind, items)
    built = to_arrow(batch)
    rejects.extend((items[index], reject) for index, reject in sorted(batch.rejects.items()))
    return built


def _fill(source: Source, batch: Batch, kind: str, context: Context) -> None:
    source.normalise(batch, kind, context)
    if batch.table == "calculations":
        add_structure_columns(batch)


def _set_provenance(source: Source, batch: Batch, kind: str, items: list[Item]) -> None:
    declared = source.declaration
    ids = [item.identity.source_id for item in items if item.identity]
    batch.set("source_id", ids)
    batch.set("calculation_id", [f"{declared.name}/{i}" for i in ids])
    batch.constant("source", declared.name)
    batch.constant("record_kind", kind)
    batch.set("record_sha256", [[(item.view, item.digest)] for item in items])
    batch.set("raw_sha256", [item.page.raw_sha256 for item in items])
    batch.set("fetched_at", [item.page.fetched_at for item in items])
    for name, value in (("license", declared.license), ("redistributable", declared.redistributable)):
        batch.set(name, [value if v is None else v for v in batch.column(name)])
