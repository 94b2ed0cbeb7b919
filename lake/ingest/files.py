"""Saved replies: files, folders and URLs of them, opened, split where they are large, never loaded all at once."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import ijson
import orjson

from lake.errors import InputError
from lake.ingest.compression import opened
from lake.ingest.documents import PageBody
from lake.store import raw
from lake.store.root import Root

WHOLE_BYTES = 64 * 2**20
"""Documents up to this size are read whole; larger ones record by record."""
CHUNK_RECORDS = 2_000
SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".parquet", ".cif", ".xyz", ".static", ".txt", ".out")
COMPRESSED = (".gz", ".xz", ".zst", ".bz2")


@dataclass(frozen=True)
class Saved:
    """One saved document: what to call it, and the file."""

    origin: str
    path: Path

    @property
    def plain_name(self) -> str:
        """The file name without the suffix of a compression."""
        name = self.path.name.lower()
        return next((name.removesuffix(s) for s in COMPRESSED if name.endswith(s)), name)


def find_saved(places: list[str]) -> list[Saved]:
    """The saved documents in files and folders (searched recursively, in the order of their names).

    Raises:
        InputError: a place does not exist, or a folder holds nothing that can be read.
    """
    found: list[Saved] = []
    for place in places:
        path = Path(place).expanduser()
        if path.is_dir():
            inside = [p for p in sorted(path.rglob("*")) if p.is_file() and _is_document(p)]
            if not inside:
                raise InputError(f"{path} holds no {', '.join(SUFFIXES)} file (also {', '.join(COMPRESSED)}).")
            found += [Saved(str(p), p) for p in inside]
        elif path.is_file():
            found.append(Saved(str(path), path))
        else:
            raise InputError(f"{path} does not exist.")
    return found


def _is_document(path: Path) -> bool:
    name = Saved("", path).plain_name
    if name.startswith((".", "readme", "license")):
        return False
    return name.endswith(SUFFIXES) or name.startswith("doscar")


def read_saved(saved: Saved, root: Root, source: str) -> Iterator[PageBody]:
    """A document as pages, kept under raw/ as it came (decompressed).

    Raises:
        InputError: it cannot be read.
    """
    try:
        if saved.plain_name.endswith(".parquet"):
            yield from _parquet_pages(saved, root, source)
        elif saved.plain_name.endswith(".csv"):
            yield from _csv_pages(saved, root, source)
        else:
            yield from _json_pages(saved, root, source)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{saved.origin} cannot be read: {type(error).__name__}: {error}.") from error


def _page(saved: Saved, body: bytes, raw_sha256: str, part: int = 0) -> PageBody:
    name = f"file|{raw_sha256}|{part}"
    return PageBody(
        fetch_id=hashlib.sha256(name.encode()).hexdigest()[:32],
        body=body,
        origin=saved.origin,
        fetched_at=datetime.fromtimestamp(saved.path.stat().st_mtime, UTC),
        raw_sha256=raw_sha256,
    )


def _json_pages(saved: Saved, root: Root, source: str) -> Iterator[PageBody]:
    with saved.path.open("rb") as file, opened(file) as stream:
        body = stream.read(WHOLE_BYTES)
        more = stream.read(1)
    if not more:
        yield _page(saved, body, raw.keep(root, source, body))
        return
    sha256 = _keep_large(saved, root, source)
    for part, records in enumerate(_chunks(_stream_records(saved))):
        yield _page(saved, orjson.dumps(records), sha256, part)


def _keep_large(saved: Saved, root: Root, source: str) -> str:
    """Keep a document too large to hold in memory; returns its sha256."""
    with saved.path.open("rb") as file, opened(file) as stream:
        return raw.keep_stream(root, source, stream)


def _stream_records(saved: Saved) -> Iterator[Any]:
    """The records of a large document: lines, the items of a list, or of the list under ``data``."""
    with saved.path.open("rb") as file, opened(file) as stream:
        buffered = io.BufferedReader(stream, 2**20)  # type: ignore[type-var]
        head = buffered.peek(4096)[:4096].lstrip()
        if head.startswith(b"["):
            yield from ijson.items(buffered, "item", use_float=True)
        elif saved.plain_name.endswith((".jsonl", ".ndjson")):
            yield from (orjson.loads(line) for line in buffered if line.strip())
        else:
            yield from ijson.items(buffered, "data.item", use_float=True)


def _chunks(records: Iterator[Any]) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for record in records:
        chunk.append(record)
        if len(chunk) == CHUNK_RECORDS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _parquet_pages(saved: Saved, root: Root, source: str) -> Iterator[PageBody]:
    import pyarrow.parquet as pq

    with saved.path.open("rb") as file:
        sha256 = raw.keep_stream(root, source, file)
    batches = pq.ParquetFile(saved.path).iter_batches(batch_size=CHUNK_RECORDS)
    for part, batch in enumerate(batches):
        yield _page(saved, orjson.dumps(batch.to_pylist(), default=str), sha256, part)


def _csv_pages(saved: Saved, root: Root, source: str) -> Iterator[PageBody]:
    sha256 = _keep_large(saved, root, source)
    with saved.path.open("rb") as file, opened(file) as stream:
        text = io.TextIOWrapper(cast(Any, stream), encoding="utf-8-sig", newline="")
        rows = ({name: _cell(v) for name, v in row.items() if name} for row in csv.DictReader(text))
        for part, records in enumerate(_chunks(rows)):
            yield _page(saved, orjson.dumps(records), sha256, part)


def _cell(text: Any) -> Any:
    """A CSV cell: JSON where it is a list or an object, null where it is empty, else its text."""
    if not isinstance(text, str) or not text.strip():
        return None
    if text.lstrip()[0] in "[{":
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
    return text
