"""Whole collections from the Materials Project's Delta tables on S3, which want no key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from lake.errors import BadReplyError, IncompleteError, SettingsError
from lake.sources.base import Page, Request, Walker
from lake.sources.mp.declaration import API_URL
from lake.sources.mp.ids import canonical, thermo_type
from lake.sources.mp.provenance import CONTROLLED
from lake.sources.mp.query import Query

REGION = "us-east-1"
_NUMBERS = re.compile(r"\d+")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_EXTRA_COLUMNS = ("version", "batch_id")


@dataclass(frozen=True)
class _Piece:
    """One row group of one file of a table: what is read, and resumed, at a time."""

    uri: str
    number: int
    fragment: Any
    schema: Any
    rows: int


def walk_tables(walker: Walker, query: Query) -> Iterator[Page]:
    """The records of a table as pages of JSON, at most ``page_size`` rows in memory beside one row group.

    Raises:
        SettingsError: a filter that can only be asked of the REST API.
        IncompleteError: the table cannot be read.
    """
    keep = _Filter(query)
    uri, options = table_address(query)
    start = Request(uri, {"version": query.version or "newest"})
    try:
        columns, pieces = _open(uri, options, query)
    except (BadReplyError, ImportError) as error:
        walker.fail(start, str(error))
        raise IncompleteError(str(error)) from error
    controlled = _controlled_batches(walker, query)
    for piece in pieces:
        reader = _Reader(piece, columns, query.page_size, keep, controlled)
        for part in range(reader.parts):
            params = {"file": piece.uri, "row_group": str(piece.number), "part": f"{part} of {reader.parts}"}
            request = Request(uri, params, cursor=f"{piece.uri} row group {piece.number}, {params['part']}")
            page = walker.take(request, lambda part=part, reader=reader: reader.body(part))  # type: ignore[misc]
            if page.records:
                yield page


def table_address(query: Query) -> tuple[str, dict[str, str]]:
    """The table's URI and the options to open it with.

    ``base_url`` may be the table itself, a folder or bucket that holds the collections below it
    (``…/collections/summary``), or the http address of another S3 server with buckets of the same names.
    """
    anonymous = {"AWS_SKIP_SIGNATURE": "true", "AWS_REGION": REGION, "timeout": "120s", "max_retries": "5"}
    place, base = query.endpoint.table, query.base_url
    if base is None:
        return f"s3://{place}", anonymous
    if base.startswith(("http://", "https://")):
        address = {"AWS_ENDPOINT_URL": base.rstrip("/"), "AWS_ALLOW_HTTP": "true"}
        return f"s3://{place}", anonymous | address
    options = anonymous if base.startswith("s3") else {}
    if _is_table(base, options):
        return base, options
    return f"{base.rstrip('/')}/{place.partition('/')[2]}", options


def _is_table(uri: str, options: Mapping[str, str]) -> bool:
    from deltalake import DeltaTable

    try:
        return DeltaTable.is_deltatable(uri, storage_options=dict(options))
    except Exception:  # noqa: BLE001 - opening it will say what is wrong
        return False


def _open(uri: str, options: dict[str, str], query: Query) -> tuple[list[str], list[_Piece]]:
    """The columns that are wanted and the row groups of the release that is wanted."""
    from deltalake import DeltaTable

    try:
        table = DeltaTable(uri, storage_options=options)
        partitions = None
        if "version" in table.metadata().partition_columns:
            versions = {str(part["version"]) for part in table.partitions()}
            partitions = [("version", "=", _release(versions, query.version, uri))]
        data = table.to_pyarrow_dataset(partitions=partitions)
        wanted = {name.partition(".")[0] for name in query.endpoint.fields} | set(_EXTRA_COLUMNS)
        columns = [name for name in data.schema.names if name in wanted]
        pieces = [
            _Piece(fragment.path, number, group, data.schema, group.row_groups[0].num_rows)
            for fragment in data.get_fragments()
            for number, group in enumerate(fragment.split_by_row_group())
        ]
    except (SettingsError, BadReplyError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever the storage says, it is named
        raise BadReplyError(f"{uri} cannot be read as a Delta table: {_said(error)}") from None
    return columns, sorted(pieces, key=lambda piece: (piece.uri, piece.number))


def _said(error: Exception) -> str:
    """An error on one line; the storage library colours its own."""
    plain = _COLOURS.sub("", str(error))
    return f"{type(error).__name__}: {' '.join(plain.split())}"[:1_000]


def _release(versions: set[str], wanted: str | None, uri: str) -> str:
    def order(version: str) -> tuple[list[int], str]:
        return [int(n) for n in _NUMBERS.findall(version)], version

    known = sorted(versions, key=order)
    if not known:
        raise BadReplyError(f"{uri} is empty.")
    if wanted is None:
        return known[-1]
    same = [version for version in known if re.split(r"[-_.]", version) == re.split(r"[-_.]", wanted)]
    if not same:
        raise SettingsError(f"--option version={wanted!r:.80}: {uri} has {', '.join(known[-20:])}.")
    return same[-1]


def _controlled_batches(walker: Walker, query: Query) -> frozenset[str]:
    """The batches whose terms must be accepted first; only tasks need them, other tables name the licence."""
    if query.endpoint.name != "tasks" or query.base_url is not None:
        return frozenset()
    page = walker.get(Request(f"{API_URL}heartbeat", cursor="access-controlled batches"))
    batches = page.document.get("access_controlled_batch_ids") if isinstance(page.document, dict) else None
    return frozenset(batch for batch in batches or [] if isinstance(batch, str))


class _Filter:
    """Which rows are wanted, by the filters that a table can answer."""

    def __init__(self, query: Query) -> None:
        given = query.filters
        known = {"material_ids", "task_ids", "thermo_types", "formula", "chemsys", "elements", "exclude_elements",
                 "deprecated"}
        if wrong := sorted(set(given) - known):
            raise SettingsError(f"--option {', '.join(wrong)} can be asked of the REST API alone (via=rest).")
        lists = {name: [part.strip() for part in given[name].split(",")] for name in known & set(given)}
        self._ids = {canonical(i) for name in ("material_ids", "task_ids") for i in lists.get(name, [])}
        self._hulls = {thermo_type(name) for name in lists.get("thermo_types", [])}
        self._formulas = set(lists.get("formula", []))
        self._systems = {"-".join(sorted(s.split("-"))) for s in lists.get("chemsys", [])}
        self._with, self._without = set(lists.get("elements", [])), set(lists.get("exclude_elements", []))
        self._deprecated = {"true": True, "false": False}.get(given.get("deprecated", ""))
        if any("*" in text for text in (*self._formulas, *self._systems)):
            raise SettingsError("Wildcards in formula and chemsys can be asked of the REST API alone (via=rest).")

    def __call__(self, record: Mapping[str, Any]) -> bool:
        ids = [canonical(record.get(name)) for name in ("material_id", "task_id", "identifier")]
        composition = record.get("composition")
        elements = {e for e, n in composition.items() if n} if isinstance(composition, dict) else set()
        return (
            (not self._ids or any(i in self._ids for i in ids if i))
            and (not self._hulls or thermo_type(record.get("thermo_type")) in self._hulls)
            and (not self._formulas or record.get("formula_pretty") in self._formulas)
            and (not self._systems or "-".join(sorted(elements)) in self._systems)
            and elements >= self._with
            and not elements & self._without
            and (self._deprecated is None or bool(record.get("deprecated")) is self._deprecated)
        )


class _Reader:
    """The rows of one row group as bodies of JSON, a part at a time, in order."""

    def __init__(self, piece: _Piece, columns: list[str], rows: int, keep: _Filter, controlled: frozenset[str]) -> None:
        self._piece, self._columns, self._rows = piece, columns, rows
        self._keep, self._controlled = keep, controlled
        self._table: Any = None
        self.parts = -(-piece.rows // rows)

    def body(self, part: int) -> bytes:
        """The wanted records of a part, as ``{"data": […]}``.

        Raises:
            BadReplyError: the file cannot be read.
        """
        try:
            if self._table is None:
                self._table = self._piece.fragment.to_table(schema=self._piece.schema, columns=self._columns)
            rows = self._table.slice(part * self._rows, self._rows).to_pylist(maps_as_pydicts="lossy")
        except Exception as error:  # noqa: BLE001 - whatever the storage says, it is named
            raise BadReplyError(f"{self._piece.uri}: {_said(error)}") from None
        finally:
            if part + 1 == self.parts:
                self._table = None
        for row in rows:
            if row.get("batch_id") in self._controlled:
                row[CONTROLLED] = True
        return orjson.dumps({"data": [row for row in rows if self._keep(row)]}, default=str)
