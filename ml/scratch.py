"""Where a training keeps what it needs to go on after it was killed, and that only one process works there."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from lake.errors import InputError

if TYPE_CHECKING:
    from lake.store.lake import Lake

FOLDER = "training"


def scratch_folder(lake: Lake, *identity: str) -> Path:
    """The folder of one training: below the lake where it is local, else in the cache folder of this machine.

    Args:
        lake: the lake.
        identity: what makes it this training: data and settings.
    """
    digest = hashlib.sha256("\n".join(identity).encode()).hexdigest()[:16]
    if lake.root.is_local:
        return Path(lake.root.uri) / FOLDER / digest
    return lake.catalogue_path.parent / FOLDER / digest


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Work in a folder that no other process works in; made where it is not there.

    Raises:
        InputError: another process trains the same model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.parent / f".{folder.name}.lock"
    while True:
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"The same model is being trained by another process (its folder: {folder}): wait for it, or end "
                    "it."
                ) from None
            if not _is(path, file):
                # It was removed between opening and locking it, by a process that came to its end.
                continue
            yield
            return


def remove(folder: Path) -> None:
    """Remove the folder of a training that has come to its end."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder.parent / f".{folder.name}.lock").unlink(missing_ok=True)


def _is(path: Path, file: IO[str]) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
