"""Pages in, Arrow tables out: what a worker process does, without any commit."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from lake.crystal.columns import add_structure_columns
from lake.errors import BadReplyError, MatlakeError
from lake.ingest.depth import shallow
from lake.sources import find, values
from lake.sources.base import Context, Identity, Record, Source
from lake.sources.batch import Batch, Reject
from lake.store.delta import lookup
from lake.store.root import Root
from lake.tables import TABLES, Table

LONGEST_ID = 300
RAW_TEXT_CHARACTERS = 2_000

Place = tuple[str, bool]
"""A table, and whether its rows are derived from records that another row stands for."""


@dataclass(frozen=True)
class PageBody:
    """One page on its way to a worker: ``take`` is how many of its records are wanted (None = all)."""

    fetch_id: str
    body: bytes
    origin: str
    fetched_at: datetime
    raw_sha256: str
    take: int | None = None


@dataclass
class Outcome:
    """What became of some pages: rows by table, rejects, and counts by page.

    Rows are kept apart by whether they are derived: the record itself is counted by its other row.
    """

    rows: dict[Place, pa.Table] = field(default_factory=dict)
    rejects: pa.Table | None = None
    records: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    unchanged: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)

    def __add__(self, other: Outcome) -> Outcome:
        tables: dict[Place, list[pa.Table]] = defaultdict(list)
        for place, rows in (*self.rows.items(), *other.rows.items()):
            tables[place].append(rows)
        rejects = [t for t in (self.rejects, other.rejects) if t is not None]
        return Outcome(
            rows={place: pa.concat_tables(parts) for place, parts in tables.items()},
            rejects=pa.concat_tables(rejects) if rejects else None,
            records=self.records + other.records,
            rejected=self.rejected + other.rejected,
            reasons=self.reasons + other.reasons,
            unchanged=self.unchanged + other.unchanged,
            unreadable=self.unreadable | other.unreadable,
        )


@dataclass
class Item:
    """One record with where it came from and which row it will be."""

    record: Record
    page: PageBody
    position: int
    kind: str
    identity: Identity | None = None
    view: str = ""
    digest: str = ""
    derived: bool = False


def decode(source: Source, body: bytes, origin: str) -> Any:
    """The document in a body: the source's own form, JSON, or JSON lines.

    Raises:
        BadReplyError: it is none of these.
    """
    document = source.decode(body, origin)
    if document is not None:
        return document
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) > 1 and isinstance(_loads(lines[0]), dict):
            # A line that is cut is a record that is rejected: the others are good.
            return [_loads(line, line.decode("utf-8", "replace")) for line in lines]
        document = _loads(body, error)
        if document is error:
            start = body[:60].decode("utf-8", "replace")
            raise BadReplyError(f"{origin} is no JSON ({error}); it begins with {start!r}.") from None
        return document


def _loads(body: bytes, otherwise: Any = None) -> Any:
    """A JSON value in whatever form databases write it; ``otherwise`` where it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        # Python's reader takes NaN and Infinity, which some databases write; they become null later.
        return json.loads(body)
    except (UnicodeDecodeError, RecursionError):
        pass
    except ValueError:
        return otherwise
    try:
        return json.loads(shallow(body).decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return otherwise


def normalise_pages(
    source_name: str, root: Root, options: Mapping[str, str], pages: Sequence[PageBody]
) -> Outcome:
    """Normalise some pages of one source against the lake as it is now; commits nothing."""
    source = find(source_name)
    outcome = Outcome()
    rejects: list[tuple[Item, Reject]] = []
    items = list(_items(source, pages, outcome))
    _identify(source, items, options, rejects)
    items += _derive(source, items)
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
    _add_rejects(source_name, rejects, outcome)
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


def _identify(
    source: Source, items: list[Item], options: Mapping[str, str], rejects: list[tuple[Item, Reject]]
) -> None:
    salt = f"{source.version}|{orjson.dumps(dict(options), option=orjson.OPT_SORT_KEYS).decode()}|".encode()
    for item in items:
        item.digest = hashlib.sha256(salt + canonical(item.record)).hexdigest()[:32]
        item.view = view_of(item.record, item.kind)
        if not isinstance(item.record, dict):
            rejects.append((item, Reject("not_an_object", f"a record must be a JSON object, this is "
                                         f"{values.show(item.record)}")))
            continue
        reject = _set_identity(source, item)
        if reject:
            rejects.append((item, reject))


def _set_identity(source: Source, item: Item) -> Reject | None:
    try:
        identity = source.identify(item.record, item.kind)
    except Exception as error:  # noqa: BLE001 - whatever a record holds, it rejects that record alone
        return Reject("no_id", f"the id cannot be read: {error}"[:500])
    if identity is None:
        return Reject("no_id", f"no id of a {item.kind} record of {source.declaration.name} can be read")
    try:
        if values.text(identity.source_id, LONGEST_ID) != identity.source_id:
            return Reject("no_id", f"{values.show(identity.source_id)} is no id")
    except values.BadValueError as error:
        return Reject("no_id", f"source_id: {error}")
    item.identity = identity
    return None


def _derive(source: Source, items: list[Item]) -> list[Item]:
    """Rows of a second table in the same records (the DOS in a NOMAD archive), where a source has them."""
    derive = getattr(source, "derived", None)
    if derive is None:
        return []
    result = []
    for item in items:
        if item.identity is None:
            continue
        for record in derive([item.record], item.kind) or []:
            twin = Item(record, item.page, item.position, f"{item.kind}_dos", digest=item.digest, derived=True)
            twin.view = twin.kind
            if _set_identity(source, twin) is None:
                result.append(twin)
    return result


def view_of(record: Record, kind: str) -> str:
    """Which part of a record this is: its kind and the fields that were asked for.

    Two replies with other fields are two views of one record: each keeps what only the other knows.
    """
    if not isinstance(record, dict):
        return kind
    fields = "\n".join(sorted(map(str, record))).encode("utf-8", "replace")
    return f"{kind}:{hashlib.sha256(fields).hexdigest()[:8]}"


def canonical(record: Record) -> bytes:
    """A record as bytes that do not depend on the order of its keys."""
    try:
        return orjson.dumps(record, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except (TypeError, RecursionError):
        try:
            return json.dumps(record, sort_keys=True, default=str).encode("utf-8", "backslashreplace")
        except (TypeError, ValueError, RecursionError):
            return repr(record).encode("utf-8", "backslashreplace")


def _changed(source: str, root: Root, items: list[Item], outcome: Outcome) -> list[Item]:
    """The items whose record is not in the lake yet just as it is."""
    by_table: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.identity is not None:
            by_table[item.identity.table].append(item)
    result = []
    for name, group in by_table.items():
        ids = [f"{source}/{item.identity.source_id}" for item in group if item.identity]
        found = lookup(root, name, source, ids, ["calculation_id", "record_sha256"])
        known = dict(zip(found.column(0).to_pylist(), map(dict, found.column(1).to_pylist()), strict=True))
        for calculation_id, item in zip(ids, group, strict=True):
            if known.get(calculation_id, {}).get(item.view) == item.digest:
                outcome.unchanged += not item.derived
            else:
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


def to_arrow(batch: Batch) -> pa.Table:
    """The rows of a batch that are not rejected, in the table's declared types.

    A value outside the declared bounds, or not of the declared type, rejects its record.
    """
    table = TABLES[batch.table]
    arrays = {c.name: _array(batch, table, c.name) for c in table.columns}
    keep = [index for index in range(len(batch)) if index not in batch.rejects]
    whole = pa.table(arrays, schema=table.schema)
    return whole if len(keep) == len(batch) else whole.take(pa.array(keep, pa.int64()))


def _array(batch: Batch, table: Table, name: str) -> pa.Array:
    column = table.by_name[name]
    cells = batch.column(name)
    low, high = column.minimum, column.maximum
    if low is not None or high is not None:
        for index, value in enumerate(cells):
            outside = value is not None and not (
                (low is None or value >= low) and (high is None or value <= high)
            )
            if outside:
                unit = f" {column.unit}" if column.unit else ""
                batch.reject(index, "out_of_range", f"{name}: {value:g}{unit} is outside {low} … {high}")
    cells = [None if index in batch.rejects else value for index, value in enumerate(cells)]
    try:
        return pa.array(cells, column.type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array([_fits(batch, name, index, v) for index, v in enumerate(cells)], column.type)


def _fits(batch: Batch, name: str, index: int, value: Any) -> Any:
    column_type = TABLES[batch.table].by_name[name].type
    try:
        pa.array([value], column_type)
        return value
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        batch.reject(index, "bad_value", f"{name}: {values.show(value)} is no {column_type} ({error})")
        return None


def _add_rejects(source: str, rejects: list[tuple[Item, Reject]], outcome: Outcome) -> None:
    rows: dict[str, dict[str, Any]] = {}
    for item, reject in rejects:
        if not item.derived:
            outcome.rejected[item.page.fetch_id] += 1
            outcome.reasons[reject.reason] += 1
        named = f"{source}/{item.identity.source_id}" if item.identity else None
        reject_id = hashlib.sha256(f"{source}|{item.kind}|{named or item.digest}".encode()).hexdigest()[:32]
        message = printable(reject.message)
        rows[reject_id] = {
            "reject_id": reject_id,
            "source": source,
            "calculation_id": named,
            "reason": reject.reason,
            "message": message,
            "raw_text": printable(canonical(item.record)[: 4 * RAW_TEXT_CHARACTERS].decode("utf-8", "replace")),
            "raw_sha256": item.page.raw_sha256,
            "position": item.position,
            "record_kind": item.kind,
            "fetched_at": item.page.fetched_at,
            "fingerprint": hashlib.sha256(f"{item.digest}|{reject.reason}|{message}".encode()).hexdigest()[:32],
        }
    if rows:
        outcome.rejects = pa.Table.from_pylist(list(rows.values()), schema=TABLES["rejects"].schema)


def printable(text: str) -> str:
    """A text that any terminal, file and database takes: no control characters, no lone surrogates."""
    shown = "".join(c if c.isprintable() else "�" for c in text[:RAW_TEXT_CHARACTERS])
    return shown.encode("utf-8", "replace").decode()


