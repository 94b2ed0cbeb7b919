"""The folder of an all-pairs run: `runs/similar/<digest>/` in the lake, shared by its driver and its workers.

The digest is that of what is asked for, so that the same question finds what an interrupted run has done. Beside the
folder lies `<digest>.json`, which says what the run is; within it

- ``driver-<token>.json`` is written again and again as long as a driver lives;
- ``pairs-<left>-<right>.json`` is a task's receipt: the files that it wrote, which nobody sees yet;
- ``publishing-<token>.json`` names the files that a driver was about to make visible.

A file of a run can be removed for good where no driver of its run lives, and no driver was about to publish it: then
no version of the table, present or past, can hold it, as the names of files hold their driver's token.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from socket import gethostname
from threading import Event, Thread
from typing import Any
from urllib.parse import quote

from lake.store.root import Root
from lake.store.whole import Part

RUNS = ("runs", "similar")
TABLES_WRITTEN = ("similarities", "similarity_groups")
BEAT_SECONDS = 30.0
STALE_SECONDS = 900.0
"""A driver that has said nothing for so long is dead; clocks of two machines differ by less."""
KEPT_SECONDS = 86_400.0
"""An interrupted run can be resumed for so long; then the next run of any kind removes what it left."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    digest: str

    @property
    def parts(self) -> tuple[str, ...]:
        """Its path below the lake's root."""
        return (*RUNS, self.digest)

    def prefix(self, token: str) -> str:
        """How the files of a driver begin."""
        return f"{self.digest}-{token}"

    def write(self, root: Root, name: str, content: Any) -> None:
        """Write a JSON file."""
        root.write(json.dumps(content).encode(), *self.parts, name)

    def read(self, root: Root, name: str) -> Any:
        """A JSON file; None where there is none, or no more."""
        content = root.read(*self.parts, name)
        with suppress(ValueError):
            return None if content is None else json.loads(content)
        return None

    def describe(self, root: Root, asked: Mapping[str, Any]) -> None:
        """Say beside the folder what the run is."""
        root.write(json.dumps(asked).encode(), *RUNS, f"{self.digest}.json")

    def write_receipt(self, root: Root, name: str, parts: Iterable[Part]) -> None:
        """Say which files a task wrote; it is written last, so that what it names is there."""
        self.write(root, f"{name}.json", [asdict(part) for part in parts])

    def receipts(self, root: Root) -> dict[str, tuple[Part, ...]]:
        """The files of every task that has ended, by its name, where all of them are there."""
        found: dict[str, tuple[Part, ...]] = {}
        there: dict[str, set[str]] = {}
        for name in root.names(*self.parts):
            if name.startswith("pairs-") and name.endswith(".json"):
                written = self.read(root, name)
                if written is None:
                    continue
                parts = tuple(Part(**part) for part in written)
                if all(_is_there(root, "similarities", part, there) for part in parts):
                    found[name.removesuffix(".json")] = parts
        return found

    def live_drivers(self, root: Root, but: str = "", within_seconds: float = STALE_SECONDS) -> bool:
        """Whether a driver has said within that time that it works on the run."""
        return any(
            _is_alive(self.read(root, name), within_seconds) for name in root.names(*self.parts)
            if name.startswith("driver-") and name != f"driver-{but}.json"
        )

    def remove(self, root: Root, but: str = "", within_seconds: float = STALE_SECONDS) -> bool:
        """Remove the folder and what its drivers wrote and nobody has ever seen, unless one lives.

        Args:
            root: the lake's root.
            but: the token of a driver that does not count: the caller's own.
            within_seconds: a driver that has said nothing for so long is dead.
        """
        if self.live_drivers(root, but, within_seconds):
            return False
        names = root.names(*self.parts)
        tokens = [n.removeprefix("driver-").removesuffix(".json") for n in names if n.startswith("driver-")]
        seen: set[str] = set()
        for name in names:
            if name.startswith("publishing-"):
                published = self.read(root, name)
                if published is None:
                    return False
                seen.update(published)
        described = json.loads(root.read(*RUNS, f"{self.digest}.json") or b"{}")
        if "grid_id" in described:
            folder = f"grid_id={quote(described['grid_id'])}"
            begins = tuple(f"{self.prefix(token)}-" for token in tokens)
            for table in TABLES_WRITTEN:
                for name in root.names(table, folder):
                    if name.startswith(begins) and f"{folder}/{name}" not in seen:
                        root.delete(table, folder, name)
        root.delete_folder(*self.parts)
        root.delete(*RUNS, f"{self.digest}.json")
        return True


def _is_alive(driver: Any, within_seconds: float) -> bool:
    """Whether a driver that has last said this may be at work."""
    try:
        silent = (datetime.now(UTC) - datetime.fromisoformat(driver["seen"])).total_seconds()
        if within_seconds <= STALE_SECONDS and driver["host"] == gethostname():
            os.kill(driver["pid"], 0)
    except (KeyError, TypeError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass  # somebody else's process, which is one all the same
    return silent < within_seconds


def all_there(root: Root, table: str, parts: Iterable[Part]) -> bool:
    """Whether files that were written are still there."""
    there: dict[str, set[str]] = {}
    return all(_is_there(root, table, part, there) for part in parts)


def _is_there(root: Root, table: str, part: Part, there: dict[str, set[str]]) -> bool:
    folder, _, name = part.path.rpartition("/")
    if folder not in there:
        there[folder] = set(root.names(table, folder))
    return name in there[folder]


def remove_dead_runs(root: Root, but: str) -> None:
    """Remove the folders of other runs whose drivers died a day ago, with what they wrote and did not publish."""
    for name in root.names(*RUNS):
        if name.endswith(".json") and name != f"{but}.json":
            RunFolder(name.removesuffix(".json")).remove(root, within_seconds=KEPT_SECONDS)


class Heartbeat:
    """Says that the driver lives, from a thread of its own, as long as the context lasts."""

    def __init__(self, root: Root, folder: RunFolder, token: str) -> None:
        self._root, self._folder, self._token = root, folder, token
        self._end = Event()
        self._thread = Thread(target=self._run, name="matlake-heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._beat()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(timeout=10)

    def _beat(self) -> None:
        now = datetime.now(UTC).isoformat()
        driver = {"seen": now, "host": gethostname(), "pid": os.getpid()}
        self._folder.write(self._root, f"driver-{self._token}.json", driver)

    def _run(self) -> None:
        while not self._end.wait(BEAT_SECONDS):
            # A beat that fails is followed by others; the run itself will say what is wrong.
            with suppress(Exception):
                self._beat()
