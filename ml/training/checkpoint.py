"""What a training needs to go on after it was killed: one file of arrays and JSON, whole or not there at all."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lake.errors import CheckpointError

FORMAT = 1
KEPT = 2
PREFIX = "training"


class DamagedError(Exception):
    """A checkpoint is cut or changed."""


@dataclass(frozen=True)
class Identity:
    """What a checkpoint belongs to; each a digest, or something as plain.

    Attributes:
        settings: of training.
        data: rows, targets and graphs.
        network: its form and the weights that it started from.
    """

    settings: str
    data: str
    network: str

    @property
    def digest(self) -> str:
        """All of it in one word."""
        return hashlib.sha256(json.dumps([FORMAT, self.settings, self.data, self.network]).encode()).hexdigest()[:12]


class Checkpoints:
    """The checkpoints of one training in a folder, the newest two; those of others there are left alone.

    Args:
        folder: made where it is not there.
        identity: of the training.
    """

    def __init__(self, folder: Path, identity: Identity) -> None:
        self.folder, self.identity = folder, identity
        self._prefix = f"{PREFIX}-{identity.digest}-"

    def write(self, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Keep a state; what was kept before stays until this one is safe on the disk.

        Raises:
            TrainingError: it cannot be written, such as to a full disk; the checkpoint before is still there.
        """
        arrays = {name: one.detach().cpu().contiguous() for name, one in tensors.items()}
        document = {"format": FORMAT, "identity": vars(self.identity), "crc32": _crc32(arrays), "state": dict(state)}
        content = save(arrays, metadata={"json": json.dumps(document)})
        path = self.folder / f"{self._prefix}{step:012d}.safetensors"
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            _sync_folder(self.folder)
            for old in self._files()[KEPT:]:
                old.unlink(missing_ok=True)
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            kept = next((f"the one of step {_step(one):,} is kept, and the same call goes on from there"
                         for one in self._files()), "there is none yet, and the same call starts anew")
            raise CheckpointError(
                f"The checkpoint of step {step:,} cannot be written to {self.folder}: {error.strerror or error}. Make "
                f"room: {kept}."
            ) from None

    def newest(self, note: Callable[[str], None]) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The newest state that is whole; None: there is none.

        Args:
            note: told of damaged files and of other trainings in the folder.
        """
        for left in self.folder.glob(f".{self._prefix}*") if self.folder.is_dir() else ():
            left.unlink(missing_ok=True)
        for path in self._files():
            try:
                return _read(path, self.identity)
            except DamagedError as error:
                note(f"The checkpoint {path} cannot be used ({error}): taking the one before, or starting anew.")
        for line in self._others():
            note(line)
        return None

    def _files(self) -> list[Path]:
        """Those of this training, newest first."""
        return sorted(self.folder.glob(f"{self._prefix}*.safetensors"), reverse=True)

    def _others(self) -> Iterator[str]:
        """What to say of the newest checkpoint of every other training in the folder."""
        newest = {path.name.rpartition("-")[0]: path for path in sorted(self.folder.glob(f"{PREFIX}-*.safetensors"))
                  if not path.name.startswith(self._prefix)}
        for path in newest.values():
            try:
                found = _document(path)["identity"]
            except DamagedError:
                continue
            other = [name for name, value in vars(self.identity).items() if found.get(name) != value]
            yield (f"{path} is of another training ({' and '.join(other) or 'format'} differ): it is left alone, and "
                   "this one starts anew.")


def _read(path: Path, identity: Identity) -> tuple[dict[str, Tensor], dict[str, Any]]:
    document = _document(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise DamagedError(str(error)) from None
    if document["identity"] != vars(identity):
        raise DamagedError("it is of another training")
    if _crc32(tensors) != document["crc32"]:
        raise DamagedError("its arrays were changed")
    state = document["state"]
    if not isinstance(state, dict):
        raise DamagedError("it holds no state")
    return tensors, state


def _document(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, framework="pt") as file:
            document = json.loads((file.metadata() or {})["json"])
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise DamagedError(str(error)) from None
    if not isinstance(document, dict) or not isinstance(document.get("identity"), dict) \
            or document.get("format") != FORMAT or {"crc32", "state"} - set(document):
        raise DamagedError("it is no checkpoint of this format")
    return document


def _crc32(tensors: Mapping[str, Tensor]) -> int:
    value = 0
    for name in sorted(tensors):
        value = zlib.crc32(tensors[name].contiguous().reshape(-1).numpy().data, zlib.crc32(name.encode(), value))
    return value


def _step(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
