"""What a search keeps on disk while it runs, so that nothing is trained twice after it was killed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lake.errors import CheckpointError
from ml.search.candidate import Candidate

STACKS = "stacks"


@dataclass
class Group:
    """Candidates that are trained together.

    Attributes:
        name: of its folder.
        numbers: of its candidates, in their order in the stack.
    """

    name: str
    numbers: list[int]


@dataclass
class Entry:
    """One bracket.

    Attributes:
        number: of the bracket.
        candidates: all of them, as they are.
        groups: who is trained with whom.
        seconds: wall time spent on it.
    """

    number: int
    candidates: list[Candidate]
    groups: list[Group] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def alive(self) -> list[Candidate]:
        """Candidates that are under way."""
        return [one for one in self.candidates if one.state is None]


class Diary:
    """One file per bracket, written whole whenever something ended.

    Args:
        folder: of the search.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def stack_folder(self, name: str) -> Path:
        """Where the checkpoints of a stack are."""
        return self.folder / STACKS / name

    def write(self, entry: Entry) -> None:
        """Keep a bracket as it is.

        Raises:
            CheckpointError: it cannot be written.
        """
        path = self._path(entry.number)
        beside = path.with_suffix(".part")
        plain = {"number": entry.number, "seconds": entry.seconds, "groups": [asdict(one) for one in entry.groups],
                 "candidates": [one.plain() for one in entry.candidates]}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with beside.open("w") as file:
                json.dump(plain, file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            raise CheckpointError(
                f"What the search found so far cannot be written to {self.folder}: {error.strerror or error}. Make "
                "room; the same command goes on from there."
            ) from None

    def read(self, number: int) -> Entry | None:
        """A bracket as it was left; None = it was not begun, or what is there is no diary."""
        try:
            plain: Mapping[str, Any] = json.loads(self._path(number).read_bytes())
            return Entry(plain["number"], [Candidate.of(one) for one in plain["candidates"]],
                         [Group(**one) for one in plain["groups"]], plain["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            # A file that cannot be read costs the comparing of candidates alone: their checkpoints are elsewhere.
            return None

    def forget(self, entry: Entry) -> None:
        """Let a bracket begin anew, its stacks too."""
        self._path(entry.number).unlink(missing_ok=True)
        for group in entry.groups:
            shutil.rmtree(self.stack_folder(group.name), ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"bracket-{number:05d}.json"
