"""What fingerprints are made from: which rows of the lake need one, and these rows in batches of bounded size."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics.adhoc import check_read_only
from analytics.fingerprints.comparable import RULES, Rules
from analytics.fingerprints.kinds import Grid
from analytics.fingerprints.made import Made
from analytics.query_files import texts
from lake.errors import QueryError
from lake.store.catalogue import select_table
from lake.store.delta import open_table
from lake.store.duck import connect, duckdb_type
from lake.tables import TABLES

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from lake.store.lake import Lake

STREAM_BYTES = 1 << 20
PARTS_OF_A_BATCH = 8
BYTES_OF_A_NUMBER = 8
TABLES_READ = ("calculations", "dos", "fingerprints")
STALE = "made.input_sha256 is distinct from inputs.input_sha256"


@dataclass(frozen=True)
class Recipe:
    """How the fingerprints of a grid are made.

    Attributes:
        grid: the grid.
        table: the table that they are made from.
        columns: the columns needed of it, beside the id.
        make: from rows (with ``formula_reduced``) to fingerprints.
        method: digest of all that decides on the result, beside the row.
        rows_at_once: most rows committed together.
    """

    grid: Grid
    table: str
    columns: tuple[str, ...]
    make: Callable[[pa.Table], Made]
    method: str
    rows_at_once: int


def recipe(grid: Grid, rules: Rules = RULES) -> Recipe:
    """The recipe of a grid.

    Raises:
        InputError: a library that it needs is not installed.
    """
    if grid.kind == "dos":
        from analytics.fingerprints import dos
        from analytics.fingerprints.grid import DosGrid

        dos_grid = cast("DosGrid", grid)
        return Recipe(
            grid, "dos", dos.COLUMNS, lambda rows: dos.make(rows, dos_grid, rules), _digest(grid, dos.method(rules)),
            20_000,
        )
    if grid.kind == "composition":
        from analytics.fingerprints import composition

        return Recipe(grid, "calculations", (), composition.make, _digest(grid, {}), 100_000)
    from analytics.fingerprints import structure

    structure.neighbour_search()
    return Recipe(
        grid, "calculations", structure.COLUMNS, structure.make, _digest(grid, structure.method()), 2_000
    )


def _digest(grid: Grid, method: dict[str, Any]) -> str:
    text = json.dumps([grid.grid_id, grid.parameters(), method], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def inputs_of(
    lake: Lake, made_by: Recipe, files: Sequence[str] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the tables that matter here: a view for each of a lake's tables takes longer than reading.

    Args:
        lake: the lake.
        made_by: the recipe.
        files: of the table that fingerprints are made from, only these; default: all.
    """
    with connect(lake.root) as connection:
        for name in TABLES_READ:
            table = open_table(lake.root, name)
            chosen = files is not None and name == made_by.table
            select = _select_files(table, files or ()) if chosen else select_table(name, table)
            connection.execute(f'create view "{name}" as {select}')
        connection.execute(texts("macros")[f"{made_by.grid.kind}_fingerprint_inputs"])
        yield connection


def stale(
    connection: duckdb.DuckDBPyConnection, made_by: Recipe, where: str | None = None, part: int = 0, parts: int = 1
) -> pa.Table:
    """The rows that need a fingerprint: new ones, and those whose record, formula or method is another by now.

    Args:
        connection: of :func:`inputs_of`.
        made_by: the recipe.
        where: a DuckDB condition on `calculations` that chooses among them.
        part: which of ``parts`` shares of them.
        parts: in how many shares they are divided.

    Returns:
        calculation_id, source, formula_reduced, input_sha256.

    Raises:
        QueryError: the condition is none.
    """
    condition = f"{STALE} and hash(inputs.calculation_id) % {parts} = {part}"
    return _answer(connection, made_by, _question(connection, made_by, "inputs.*", condition, where), where)


def counted(connection: duckdb.DuckDBPyConnection, made_by: Recipe, where: str | None = None) -> tuple[int, int]:
    """How many rows there are, and how many of them need a fingerprint; see :func:`stale`."""
    columns = f"count(*), count(*) filter (where {STALE})"
    row = _answer(connection, made_by, _question(connection, made_by, columns, "true", where), where)
    return int(row.column(0)[0].as_py()), int(row.column(1)[0].as_py())


def set_aside(
    connection: duckdb.DuckDBPyConnection, made_by: Recipe, where: str | None = None
) -> dict[str, int]:
    """How many rows have no fingerprint, by reason, the most frequent first."""
    asked = _question(connection, made_by, "made.reason, count(*) as n", "made.reason is not null", where,
                      "group by made.reason order by n desc, made.reason asc")
    found = _answer(connection, made_by, asked, where)
    return dict(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))


def files_with_stale(
    connection: duckdb.DuckDBPyConnection, made_by: Recipe, files: Sequence[str], where: str | None = None
) -> dict[str, int]:
    """How many rows of every file need a fingerprint, files without one left out; see :func:`stale`."""
    if not files:
        return {}
    ids = _question(connection, made_by, "inputs.calculation_id", STALE, where)
    found = _answer(
        connection, made_by, "select filename, count(*) from read_parquet($files, filename = true, "  # noqa: S608
        f"union_by_name = true) semi join ({ids}) as wanted using (calculation_id) group by filename "
        "order by filename", where, {"files": list(files)},
    )
    return dict(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))


def _question(
    connection: duckdb.DuckDBPyConnection, made_by: Recipe, columns: str, condition: str, where: str | None,
    tail: str = "",
) -> str:
    """A SELECT over the rows that fingerprints are made from (``inputs``) and what there is (``made``)."""
    if where is not None:
        # On a line of its own, so that a comment at its end takes nothing with it.
        chosen = f"select calculation_id from calculations where (\n{where}\n)"  # noqa: S608
        # Alone as well: `true) or (` would pass within brackets.
        check_read_only(connection, f"select\n{where}\n")
        check_read_only(connection, chosen)
        condition += f" and inputs.calculation_id in ({chosen})"
    return (
        f"select {columns} from {made_by.grid.kind}_fingerprint_inputs($method) as inputs "  # noqa: S608
        "left join (select calculation_id, input_sha256, reason from fingerprints where grid_id = $grid) as made "
        f"on inputs.calculation_id = made.calculation_id where {condition} {tail}"
    )


def _answer(
    connection: duckdb.DuckDBPyConnection, made_by: Recipe, sql: str, where: str | None,
    more: dict[str, Any] | None = None,
) -> pa.Table:
    values = {"method": made_by.method, "grid": made_by.grid.grid_id} | (more or {})
    try:
        found: pa.Table = connection.sql(sql, params=values).to_arrow_table()
    except duckdb.Error as error:
        if where is None:
            raise
        raise QueryError(f"--where {where!r:.200} is no condition on the table calculations. {error}") from None
    return found


def batches(
    lake: Lake, made_by: Recipe, files: Sequence[str], wanted: pa.Table, most_bytes: int
) -> Iterator[pa.Table]:
    """The wanted rows of some files, with the columns of the recipe and those of :func:`stale`.

    Files are read in streams; never more than one batch and a small part of a file is in memory.

    Args:
        lake: the lake.
        made_by: the recipe.
        files: Parquet files of its table.
        wanted: rows of :func:`stale`.
        most_bytes: size of a batch in memory above which it is closed.
    """
    pending: list[pa.Table] = []
    ids = wanted.column("calculation_id").combine_chunks()
    if not made_by.columns:
        for first in range(0, wanted.num_rows, made_by.rows_at_once):
            yield wanted.slice(first, made_by.rows_at_once)
        return
    for rows in _pieces(lake, made_by, files, most_bytes // PARTS_OF_A_BATCH):
        places = pc.index_in(rows.column("calculation_id"), value_set=ids)
        known = pc.is_valid(places)
        chosen = wanted.take(places.filter(known))
        for name in made_by.columns:
            chosen = chosen.append_column(name, rows.column(name).filter(known))
        if chosen.num_rows:
            pending.append(chosen)
        if sum(t.nbytes for t in pending) >= most_bytes or sum(map(len, pending)) >= made_by.rows_at_once:
            yield pa.concat_tables(pending)
            pending = []
    if pending:
        yield pa.concat_tables(pending)


def _pieces(lake: Lake, made_by: Recipe, files: Sequence[str], piece_bytes: int) -> Iterator[pa.Table]:
    """Files in small pieces, with every column of the recipe."""
    schema = TABLES[made_by.table].schema
    wanted = ["calculation_id", *made_by.columns]
    for path in files:
        with _opened(lake, path) as file:
            present = [name for name in wanted if name in file.schema_arrow.names]
            for batch in file.iter_batches(_rows_of_piece(file, present, piece_bytes), columns=present):
                rows = pa.Table.from_batches([batch])
                for name in set(wanted) - set(present):
                    rows = rows.append_column(name, pa.nulls(rows.num_rows, schema.field(name).type))
                yield rows.select(wanted).cast(pa.schema([schema.field(name) for name in wanted]))


@contextmanager
def _opened(lake: Lake, path: str) -> Iterator[pq.ParquetFile]:
    if lake.root.is_local:
        with pq.ParquetFile(path, buffer_size=STREAM_BYTES, pre_buffer=False) as file:
            yield file
    else:
        with lake.root.filesystem.open(path) as handle, pq.ParquetFile(
            handle, buffer_size=STREAM_BYTES, pre_buffer=False
        ) as file:
            yield file


def _rows_of_piece(file: pq.ParquetFile, columns: Sequence[str], piece_bytes: int) -> int:
    """How many rows of mean size make a piece; the size in memory, as equal lists are stored but once."""
    size = 0
    for group in range(file.metadata.num_row_groups):
        part = file.metadata.row_group(group)
        for place in range(part.num_columns):
            column = part.column(place)
            if column.path_in_schema.split(".")[0] in columns:
                size += max(column.total_uncompressed_size, BYTES_OF_A_NUMBER * column.num_values)
    rows = int(piece_bytes * file.metadata.num_rows // max(size, 1))
    return max(1, min(10_000, rows))


def _select_files(table: DeltaTable | None, files: Sequence[str]) -> str:
    assert table is not None
    name = table.metadata().name
    present = {field.name for field in table.schema().fields}
    columns = ", ".join(
        f'"{f.name}"' if f.name in present else f'cast(null as {duckdb_type(f.type)}) as "{f.name}"'
        for f in TABLES[name].schema
    )
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in files)
    return (
        f"select {columns} from read_parquet([{listed}], "  # noqa: S608
        "hive_partitioning = true, hive_types_autocast = false, union_by_name = true)"
    )
