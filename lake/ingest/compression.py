"""Opening what is compressed, recognised by its first bytes, not by its name."""

from __future__ import annotations

import bz2
import gzip
import lzma
from typing import IO, Any, cast

import zstandard

from lake.errors import InputError

_MAGIC = {b"\x1f\x8b": "gz", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zst", b"BZh": "bz2"}
_BROKEN = (OSError, EOFError, lzma.LZMAError, zstandard.ZstdError, ValueError)


def kind(head: bytes) -> str | None:
    """The compression that the first bytes show: gz, xz, zst, bz2 or None."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def opened(file: IO[bytes]) -> IO[bytes]:
    """A binary file, decompressed while it is read."""
    head = file.read(6)
    file.seek(0)
    match kind(head):
        case "gz":
            return cast(IO[bytes], gzip.GzipFile(fileobj=file))
        case "xz":
            return cast(IO[bytes], lzma.LZMAFile(cast(Any, file)))
        case "zst":
            return cast(IO[bytes], zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True))
        case "bz2":
            return cast(IO[bytes], bz2.BZ2File(file))
    return file


def unpacked(body: bytes, origin: str) -> bytes:
    """A body, decompressed if it is compressed.

    Raises:
        InputError: it is compressed and broken.
    """
    if kind(body[:6]) is None:
        return body
    from io import BytesIO

    try:
        return opened(BytesIO(body)).read()
    except _BROKEN as error:
        raise InputError(f"{origin} is cut or damaged: {error}.") from error
