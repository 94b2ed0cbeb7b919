"""`weights.safetensors`: arrays by name, bound to the description they belong to; read as data, never run."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lake.errors import InputError

MOST_BYTES = 8 * 2**30
MOST_HEADER_BYTES = 32 * 2**20
KEY = "model_json_sha256"
Arrays = Mapping[str, npt.NDArray[Any]]


def encoded(weights: Arrays, description: bytes) -> bytes:
    """The file: arrays, and the digest of the description (`model.json`) that tells what they mean.

    So the digest of this file stands for both.
    """
    from safetensors.numpy import save

    plain = {name: np.ascontiguousarray(weights[name]) for name in sorted(weights)}
    return bytes(save(plain, metadata={KEY: hashlib.sha256(description).hexdigest()}))


def decoded(content: bytes, description: bytes, where: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file that belongs to a description.

    Args:
        content: the file.
        description: `model.json` beside it.
        where: its name, for messages.

    Raises:
        InputError: it is no such file, cut, changed, of another model, or holds what is no finite number.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if len(content) > MOST_BYTES:
        raise InputError(f"{where} has {len(content) / 2**30:,.0f} GB; weights of a model have at most "
                         f"{MOST_BYTES // 2**30}.")
    if _metadata(content, where).get(KEY) != hashlib.sha256(description).hexdigest():
        raise InputError(
            f"{where} does not belong to the model.json beside it: one of them was changed, or is from another model. "
            "Take both from where the model was exported."
        )
    try:
        arrays: dict[str, npt.NDArray[Any]] = load(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{where} cannot be read as safetensors: {error}. Is the file cut or damaged?") from None
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"{where}: {name[:80]} holds values that are no finite numbers.")
    return arrays


def _metadata(content: bytes, where: str) -> dict[str, Any]:
    """The notes in the file's header, read before anything of the file is believed."""
    damaged = InputError(f"{where} is no safetensors file, or it is cut: its header cannot be read.")
    if len(content) < 8:
        raise damaged
    (length,) = struct.unpack("<Q", content[:8])
    if length > min(MOST_HEADER_BYTES, len(content) - 8):
        raise damaged
    try:
        header = json.loads(content[8:8 + length])
    except (ValueError, RecursionError):
        raise damaged from None
    notes = header.get("__metadata__", {}) if isinstance(header, dict) else {}
    return notes if isinstance(notes, dict) else {}
