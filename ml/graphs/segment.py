"""A file of graphs: arrays one after the other, with a checksum, written whole or not at all.

Layout, all numbers little-endian:

| bytes | content |
|---|---|
| 8 | ``MATLAKEG`` |
| 4 | length of the header |
| 4 | CRC-32 of header and body |
| header | JSON: ``settings``, and ``arrays``: name → dtype, shape, offset in the body |
| 0 – 63 | zeros, so that the body starts at a multiple of 64 |
| body | the arrays of :class:`ml.graphs.graphs.Graphs`, each at a multiple of 64 |

``sha256s`` is stored as 32 bytes each. Graphs are ordered by digest, and a file is named by the digest of those that
it holds: who builds the same crystals writes the same file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import mmap
import os
import secrets
import struct
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lake.errors import InputError
from ml.graphs.graphs import Graphs
from ml.graphs.settings import GraphSettings

MAGIC = b"MATLAKEG"
PREFIX = struct.Struct("<8sII")
SUFFIX = ".graphs"
ALIGNED = 64


class BrokenError(Exception):
    """A file is none of ours, or not all of it is there."""


def name_of(graphs: Graphs) -> str:
    """The name of the file that holds some graphs."""
    return hashlib.sha256("".join(graphs.sha256s.tolist()).encode()).hexdigest()[:32] + SUFFIX


def packed(graphs: Graphs) -> bytes:
    """Graphs as the content of a file."""
    arrays = graphs.arrays()
    arrays["sha256s"] = np.frombuffer(bytes.fromhex("".join(graphs.sha256s.tolist())), np.uint8).reshape(-1, 32)
    described: dict[str, Any] = {}
    pieces: list[bytes] = []
    offset = 0
    for name, array in arrays.items():
        content = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        content += bytes(-len(content) % ALIGNED)
        described[name] = [array.dtype.newbyteorder("<").str, list(array.shape), offset]
        pieces.append(content)
        offset += len(content)
    header = json.dumps({"settings": asdict(graphs.settings), "arrays": described}).encode()
    header += b" " * (-(PREFIX.size + len(header)) % ALIGNED)
    body = b"".join([header, *pieces])
    return PREFIX.pack(MAGIC, len(header), zlib.crc32(body)) + body


def write(folder: Path, name: str, content: bytes) -> None:
    """Write a file beside and rename it, so that nobody ever sees half of it.

    Raises:
        InputError: the disk is full, or the folder cannot be written to; nothing is left behind.
    """
    beside = folder / f".{name}.{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(folder / name)
    except OSError as error:
        why = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror or str(error)
        raise InputError(
            f"Graphs of {len(content):,} bytes cannot be kept in {folder}: {why}. Those that were there are as they "
            "were; make room, or let MATLAKE_ROOT (of an s3:// lake MATLAKE_CACHE_DIR) name a folder that has it."
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def read(path: Path) -> Graphs:
    """Map a file into memory; it is read once, to see that all of it is as it was written.

    Raises:
        BrokenError: it is not.
        FileNotFoundError: it is not there any more.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < PREFIX.size:
            raise BrokenError(f"{path} has {size} bytes.")
        # Private, so that arrays count as writable: numba compiles another kernel for those that are not.
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    magic, n_header, checksum = PREFIX.unpack_from(content)
    if magic != MAGIC or zlib.crc32(memoryview(content)[PREFIX.size:]) != checksum:
        raise BrokenError(f"{path} is not as it was written.")
    try:
        header = json.loads(content[PREFIX.size : PREFIX.size + n_header])
        arrays = {
            name: _array(content, dtype, shape, PREFIX.size + n_header + offset)
            for name, (dtype, shape, offset) in header["arrays"].items()
        }
        digests = _hex(arrays["sha256s"])
        return Graphs(GraphSettings.of(header["settings"]), **(arrays | {"sha256s": digests}))
    except (ValueError, KeyError, TypeError, InputError) as error:
        raise BrokenError(f"{path} is of another version: {error}") from error


def _array(content: mmap.mmap, dtype: str, shape: list[int], start: int) -> npt.NDArray[Any]:
    count = int(np.prod(shape))
    return np.frombuffer(content, np.dtype(dtype), count, start).reshape(shape)


def _hex(digests: npt.NDArray[np.uint8]) -> npt.NDArray[np.str_]:
    """Digests of 32 bytes as 64 hexadecimal digits each."""
    digits = np.frombuffer(digests.tobytes().hex().encode(), "S64") if len(digests) else np.empty(0, "S64")
    return digits.astype("U64")
