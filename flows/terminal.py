"""What the commands show: results on stdout, progress and messages on stderr."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable
from rich.text import Text

from lake.errors import QueryError
from lake.ingest.result import IncompleteIngestError, IngestResult
from lake.ingest.result import Progress as IngestProgress
from lake.store.lake import Lake

err = Console(stderr=True, highlight=False)
# A pipe or file has no width: lines are not folded there.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)
FORMATS = ("table", "json", "csv", "parquet")


def ingest_with_progress(
    lake: Lake, source: str, options: Mapping[str, str], saved: Sequence[str], url: str | None, limit: int | None
) -> IngestResult:
    """Run an ingest under a progress bar on stderr; its counts go to stdout."""
    from lake.ingest.run import ingest

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TextColumn("records"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(f"ingest {source}", total=limit)

        def show(state: IngestProgress) -> None:
            bar.update(task, completed=state.committed, total=state.records_expected or state.records,
                       description=f"ingest {source}: {state.pages} pages")

        try:
            result = ingest(
                lake, source, options=options, saved=saved, base_url=url, limit=limit, progress=show
            )
        except IncompleteIngestError as error:
            bar.stop()
            show_ingest(error.result)
            raise
    show_ingest(result)
    return result


def show_ingest(result: IngestResult) -> None:
    """The counts of an ingest, as one line that adds up, with rejects by reason."""
    sign = "=" if result.balanced else "≠"
    out.print(
        f"{result.source}: {result.fetched:,} fetched {sign} {result.new:,} new + {result.changed:,} changed + "
        f"{result.unchanged:,} unchanged + {result.rejected:,} rejected   ({result.pages} pages, "
        f"{result.seconds:.1f} s)", soft_wrap=True,
    )
    for reason, count in result.reasons.most_common():
        out.print(f"  rejected {count:,}: {reason}")
    derived = result.tables.get("dos")
    if derived and (derived.new or derived.changed):
        out.print(f"  densities of states: {derived.new:,} new, {derived.changed:,} changed")


def parse_params(words: Sequence[str]) -> dict[str, str]:
    """Parameters given as name=value.

    Raises:
        QueryError: one is not of that form.
    """
    params = {}
    for word in words:
        name, given, value = word.partition("=")
        if not given or not name:
            raise QueryError(f"--param {word!r}: give it as name=value.")
        params[name] = value
    return params


def show_result(lake: Lake, query: str, words: Sequence[str], format_: str, output: Path | None) -> None:
    """Run a query and write its rows in a format, to stdout or a file."""
    from analytics.queries import run_query

    check_format(format_, output)
    emit(run_query(lake, query, parse_params(words)), format_, output)


def check_format(format_: str, output: Path | None) -> None:
    """Refuse a format before any work is done.

    Raises:
        QueryError: there is no such format, or it is binary and would go to a terminal.
    """
    if format_ not in FORMATS:
        raise QueryError(f"--format {format_!r}: one of {', '.join(FORMATS)}.")
    if format_ == "parquet" and output is None and sys.stdout.isatty():
        raise QueryError("--format parquet is binary: add --output FILE or redirect it.")


def emit(table: pa.Table, format_: str, output: Path | None = None) -> None:
    """Write a result in a format that :func:`check_format` let pass, to stdout or a file."""
    if format_ == "table" and output is None:
        show_table(table)
        err.print(f"{table.num_rows:,} rows")
        return
    content = encoded(table, format_)
    if output:
        output.write_bytes(content)
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


def encoded(table: pa.Table, format_: str) -> bytes:
    """A result as bytes: json is one list of row objects, csv has a header line."""
    import orjson

    if format_ == "json":
        return orjson.dumps(plain_rows(table), option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY) + b"\n"
    if format_ == "csv":
        import csv

        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(table.column_names)
        writer.writerows([[_csv_cell(v) for v in row.values()] for row in plain_rows(table)])
        return text.getvalue().encode()
    if format_ == "parquet":
        import pyarrow.parquet as pq

        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        return buffer.getvalue()
    return (_plain_text(table) + "\n").encode()


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as JSON can hold them: maps as objects, decimals as numbers, bytes as hex."""
    return [
        {f.name: _plain(row[f.name], f.type) for f in table.schema} for row in table.to_pylist()
    ]


def _plain(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_map(kind):
        return {str(k): _plain(v, kind.item_type) for k, v in value}
    if pa.types.is_decimal(kind):
        return int(value) if kind.scale == 0 else float(value)
    if pa.types.is_integer(kind) and abs(value) >= 2**63:
        return str(value)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return value.hex()
    if pa.types.is_interval(kind) or pa.types.is_duration(kind):
        return str(value)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [_plain(v, kind.value_type) for v in value]
    if pa.types.is_struct(kind):
        return {f.name: _plain(value[f.name], f.type) for f in kind}
    return value


def _csv_cell(value: Any) -> Any:
    import orjson

    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return str(value)


def rich_table(table: pa.Table, title: str | None = None) -> RichTable:
    """A result for a terminal, numbers to the right."""
    shown = RichTable(title=title, title_justify="left", header_style="bold")
    for field in table.schema:
        numeric = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        shown.add_column(field.name, justify="right" if numeric else "left", overflow="fold")
    for row in plain_rows(table):
        shown.add_row(*(Text(_cell(value)) for value in row.values()))
    return shown


def show_table(table: pa.Table) -> None:
    """A result on stdout: as a table, or row by row where the terminal is too narrow for that."""
    rows = plain_rows(table)
    widths = [
        max(len(name), *(len(_cell(row[name])) for row in rows)) if rows else len(name)
        for name in table.column_names
    ]
    if sum(widths) + 3 * len(widths) + 1 <= out.width:
        out.print(rich_table(table))
        return
    longest = max(map(len, table.column_names))
    for number, row in enumerate(rows, start=1):
        out.print(f"[bold]row {number}[/bold]")
        for name, value in row.items():
            out.print(f"  {name:<{longest}}  {_cell(value)}", markup=False)


def _plain_text(table: pa.Table) -> str:
    console = Console(record=True, width=10_000, file=io.StringIO())
    console.print(rich_table(table))
    return console.export_text()


def show_queries(name: str | None) -> None:
    """The named queries, or what one of them answers."""
    from analytics import queries

    if name is not None:
        out.print(str(queries.describe(name)), soft_wrap=True, markup=False)
        return
    listed = RichTable("query", "answers", header_style="bold")
    for known in queries.names():
        listed.add_row(known, queries.describe(known).question)
    out.print(listed)
    out.print("matlake sql NAME --describe shows columns, units and parameters.")


def show_status(lake: Lake) -> None:
    """Tables with versions and rows, and per source how many records, how fresh, how many rejects."""
    from analytics.queries import run_query

    versions = lake.versions()
    if not versions:
        out.print(f"The lake {lake.root.uri} is empty. Fill it: matlake ingest mp --from FOLDER, or make demo.",
                  soft_wrap=True)
        return
    out.print(f"lake       {lake.root.uri}\ncatalogue  {lake.catalogue_path}", soft_wrap=True, markup=False)
    tables = RichTable("table", "version", "rows", header_style="bold")
    with lake.connect() as connection:
        for name, table_version in versions.items():
            count = connection.execute(f'select count(*) from "{name}"').fetchone()  # noqa: S608
            tables.add_row(name, str(table_version), f"{count[0]:,}" if count else "–")
    out.print(tables)
    show_table(run_query(lake, "sources", {}))


def show_citations(name: str | None) -> None:
    """Terms and citations of one source or all."""
    from lake.sources import find, names

    for source in [name] if name else names():
        declared = find(source).declaration
        out.print(f"[bold]{declared.title}[/bold]  {declared.homepage}")
        passed_on = "may be passed on" if declared.redistributable else "not to be passed on without asking"
        out.print(f"  licence: {declared.license or 'none stated'}; rows {passed_on}", markup=False)
        out.print(f"  {declared.terms}", markup=False, soft_wrap=True)
        for citation in declared.citations:
            out.print(f"  cite: {citation}", markup=False, soft_wrap=True)
        out.print()


def show_sources() -> None:
    """Every source with its server and options."""
    from lake.sources import find, names

    for name in names():
        declared = find(name).declaration
        out.print(f"[bold]{name}[/bold]  {declared.title}  {declared.api_url}")
        for option, meaning in declared.options.items():
            out.print(f"  --{option.replace('_', '-')}: {meaning}", markup=False, soft_wrap=True)
        out.print()
