"""Asks the public reference, which runs under another Python: see `oracle.py`."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from analytics.fingerprints.grid import DosGrid
from analytics.fingerprints.profiles import Profiles

ORACLE = Path(__file__).with_name("oracle.py")


class Reference:
    """A running reference; use it in a ``with`` statement."""

    def __init__(self, python: str, timeout_seconds: float = 120.0) -> None:
        self.timeout_seconds = timeout_seconds
        self._process = subprocess.Popen(
            [python, str(ORACLE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Reference:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def edges(self, grid: DosGrid) -> dict[str, Any]:
        """Edges relative to the centre in eV and heights, the one above the last edge included."""
        return self._ask({"grid": grid.parameters(), "edges": True})

    def fingerprints(
        self, profiles: Profiles, grid: DosGrid, pairs: list[tuple[int, int]] | None = None
    ) -> dict[str, Any]:
        """Counts and ranges of every density, coefficients of pairs, seconds; null where the reference raises."""
        rows = [profiles.of_row(i) for i in range(len(profiles))]
        return self._ask({
            "grid": grid.parameters(), "energies_ev": [e.tolist() for e, _ in rows],
            "states": [s.tolist() for _, s in rows], "pairs": pairs or [],
        })

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        limit = threading.Timer(self.timeout_seconds, self._process.kill)
        limit.start()
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            limit.cancel()
        if not line:
            raise RuntimeError(f"The reference gave no answer within {self.timeout_seconds:g} s, or ended.")
        answer: dict[str, Any] = json.loads(line)
        return answer
