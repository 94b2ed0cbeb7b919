"""Raw replies, kept as they came: zstd, named by their sha256, never rewritten."""

from __future__ import annotations

import hashlib
import tempfile
from typing import IO

import zstandard

from lake.errors import TableError
from lake.store.root import Root


def digest(body: bytes) -> str:
    """The sha256 of a reply, its name in the lake."""
    return hashlib.sha256(body).hexdigest()


def _parts(source: str, sha256: str) -> tuple[str, ...]:
    return ("raw", source, sha256[:2], f"{sha256}.zst")


def keep(root: Root, source: str, body: bytes) -> str:
    """Keep a reply, if it is not there yet; returns its sha256."""
    sha256 = digest(body)
    parts = _parts(source, sha256)
    if not root.exists(*parts):
        root.write(zstandard.compress(body, 3), *parts)
    return sha256


def keep_stream(root: Root, source: str, stream: IO[bytes]) -> str:
    """Keep a reply that is too large to hold in memory uncompressed; returns its sha256."""
    sha256 = hashlib.sha256()
    packer = zstandard.ZstdCompressor(3).compressobj()
    with tempfile.TemporaryFile() as packed:
        while piece := stream.read(2**20):
            sha256.update(piece)
            packed.write(packer.compress(piece))
        packed.write(packer.flush())
        parts = _parts(source, sha256.hexdigest())
        if not root.exists(*parts):
            packed.seek(0)
            root.write(packed.read(), *parts)
    return sha256.hexdigest()


def fetch(root: Root, source: str, sha256: str) -> bytes:
    """A reply that was kept.

    Raises:
        TableError: it is not there, or not what its name says.
    """
    packed = root.read(*_parts(source, sha256))
    if packed is None:
        raise TableError(f"The raw reply {sha256} of {source} is not in the lake {root.uri}.")
    body = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    if digest(body) != sha256:
        raise TableError(f"The raw reply {sha256} of {source} is damaged: delete it and ingest again.")
    return body
