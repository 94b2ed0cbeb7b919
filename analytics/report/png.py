"""A small PNG encoder for images with a palette, so that a matrix of many pixels costs few bytes."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_COLOURS = 256


def palette_png(
    indices: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8], transparent: int | None = None, *,
    alphas: Sequence[int] = (),
) -> bytes:
    """Encode an image of palette indices (PNG, ISO/IEC 15948, colour type 3, 8 bits, no filter, no interlace).

    Args:
        indices: shape (height, width), values below the number of colours.
        palette: shape (colours, 3), red, green, blue of 0 … 255; at most 256 colours.
        transparent: an index that is drawn fully transparent.
        alphas: how opaque the first colours are, 0 … 255; the other ones are opaque.

    Returns:
        The file's bytes.

    Raises:
        ValueError: no pixels, more than 256 colours, or an index without a colour.
    """
    if indices.ndim != 2 or indices.size == 0:
        raise ValueError(f"An image has two dimensions and at least one pixel, not the shape {indices.shape}.")
    if not 0 < len(palette) <= MOST_COLOURS or int(indices.max()) >= len(palette):
        raise ValueError(f"A palette of {len(palette)} colours does not fit indices up to {int(indices.max())}.")
    height, width = indices.shape
    # Every row starts with its filter: 0, none, which is best for a palette.
    rows = np.zeros((height, width + 1), dtype=np.uint8)
    rows[:, 1:] = indices
    chunks = [
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        _chunk(b"PLTE", np.ascontiguousarray(palette, dtype=np.uint8).tobytes()),
    ]
    opaque = bytes(alphas) or (b"" if transparent is None else b"\xff" * transparent + b"\x00")
    if opaque:
        chunks.append(_chunk(b"tRNS", opaque))
    chunks += [_chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)), _chunk(b"IEND", b"")]
    return SIGNATURE + b"".join(chunks)


def data_uri(png: bytes) -> str:
    """A PNG file as an address that carries it."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
