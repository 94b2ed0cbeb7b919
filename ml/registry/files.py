"""The two files of a model: `weights.safetensors` and `model.json`, in a folder named by their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from lake.errors import InputError, TableError
from ml.registry import document, weights
from ml.registry.document import Document

if TYPE_CHECKING:
    from lake.store.root import Root

FOLDER = "models"
WEIGHTS, DESCRIPTION = "weights.safetensors", "model.json"
Arrays = dict[str, npt.NDArray[Any]]


def write(root: Root, described: Document, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Write both files below the lake's root; the same model again is the same files.

    Returns:
        ``weights_sha256``, ``folder`` and ``n_bytes``, as in `models`.

    Raises:
        TableError: they cannot be written, such as to a full disk.
    """
    description = described.content()
    content = weights.encoded(arrays, description)
    digest = hashlib.sha256(content).hexdigest()
    folder = f"{FOLDER}/{digest[:16]}"
    try:
        root.write(description, FOLDER, digest[:16], DESCRIPTION)
        root.write(content, FOLDER, digest[:16], WEIGHTS)
    except OSError as error:
        raise TableError(
            f"The model cannot be written to {root.path(folder)}: {error.strerror or error}. Make room, or ask for the "
            "right to write, and run the same command again: what was learned is kept."
        ) from None
    return {"weights_sha256": digest, "folder": folder, "n_bytes": len(content)}


def read(root: Root, row: Mapping[str, Any]) -> tuple[Document, Arrays]:
    """The model that a row of `models` tells of.

    Raises:
        InputError: a file is missing, cut, changed, or no file of a model.
    """
    folder = str(row["folder"])
    found = {}
    for name in (DESCRIPTION, WEIGHTS):
        content = root.read(*folder.split("/"), name)
        if content is None:
            raise InputError(f"The model {row['model_id']} lacks its file {root.path(folder, name)}: bring it back "
                             "from a copy of the lake, or train it again (matlake train … --again).")
        found[name] = content
    digest = hashlib.sha256(found[WEIGHTS]).hexdigest()
    if digest != row["weights_sha256"]:
        raise InputError(
            f"The weights of {row['model_id']} ({root.path(folder, WEIGHTS)}) are not those that were saved: SHA-256 "
            f"{digest[:16]}… instead of {row['weights_sha256'][:16]}…. Bring the file back, or train the model again "
            "(matlake train … --again)."
        )
    return parsed(found[DESCRIPTION], found[WEIGHTS], root.path(folder))


def parsed(description: bytes, content: bytes, folder: str) -> tuple[Document, Arrays]:
    """Both files as values.

    Raises:
        InputError: one is cut, changed, or no file of a model.
    """
    arrays = weights.decoded(content, description, f"{folder}/{WEIGHTS}")
    return Document.of(description, f"{folder}/{DESCRIPTION}"), arrays


def read_folder(folder: Path) -> tuple[Document, Arrays]:
    """The model in a folder of this machine, such as one that was exported elsewhere.

    Raises:
        InputError: see :func:`parsed`; or there are no such files.
    """
    limits = {DESCRIPTION: document.MOST_BYTES, WEIGHTS: weights.MOST_BYTES}
    found = {}
    for name, most in limits.items():
        path = folder / name
        try:
            if path.stat().st_size > most:
                raise InputError(f"{path} is larger than any such file of a model ({most / 2**20:,.0f} MB).")
            found[name] = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"{folder} holds no model: {name} cannot be read ({error.strerror}). A model is a folder with "
                f"{DESCRIPTION} and {WEIGHTS}, as matlake models NAME --export FOLDER writes it."
            ) from None
    return parsed(found[DESCRIPTION], found[WEIGHTS], str(folder))


def write_folder(folder: Path, described: Document, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write both files into a folder of this machine.

    Raises:
        InputError: it cannot be written to.
    """
    description = described.content()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / DESCRIPTION).write_bytes(description)
        (folder / WEIGHTS).write_bytes(weights.encoded(arrays, description))
    except OSError as error:
        raise InputError(f"The model cannot be written to {folder}: {error.strerror}.") from None
