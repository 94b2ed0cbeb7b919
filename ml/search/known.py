"""Candidates that an earlier search of the same data trained: they are not trained again."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lake.errors import InputError
from ml.search.candidate import FAILED, Candidate, Evaluation
from ml.spec import ModelSpec

if TYPE_CHECKING:
    from lake.store.lake import Lake


@dataclass(frozen=True)
class Earlier:
    """What was found of a candidate before.

    Attributes:
        search_id: in which search.
        curve: its evaluations.
        steps: gradient steps done.
        seconds: its share of the time.
        n_parameters: of its network.
        device: where.
    """

    search_id: str
    curve: tuple[Evaluation, ...]
    steps: int
    seconds: float
    n_parameters: int | None
    device: str | None

    def reaches(self, step: int) -> bool:
        """Whether it was trained at least so far."""
        return self.steps >= step

    def tell(self, candidate: Candidate, step: int) -> None:
        """Let a candidate be as far as a step."""
        candidate.curve = [point for point in self.curve if point.step <= step]
        candidate.steps, candidate.from_search = step, self.search_id
        candidate.seconds = self.seconds * step / self.steps
        candidate.n_parameters, candidate.device = self.n_parameters, self.device


def known_candidates(lake: Lake, kind: str, data_sha256: str) -> dict[str, Earlier]:
    """Candidates of earlier searches on the same data, by :meth:`Candidate.key`; of several, the furthest one.

    Args:
        lake: where searches are.
        kind: of network.
        data_sha256: digest of the rows.
    """
    searches = lake.read("searches", ["search_id", "settings_json", "data_sha256", "kind"]).to_pylist()
    bases = {row["search_id"]: _base(row) for row in searches
             if (row["kind"], row["data_sha256"]) == (kind, data_sha256)}
    found: dict[str, Earlier] = {}
    for search_id, base in bases.items():
        if base is None:
            continue
        where = f"search_id = '{search_id}'"
        curves: dict[int, list[Evaluation]] = {}
        for point in lake.read("trial_curves", where=where).sort_by("step").to_pylist():
            curves.setdefault(point["trial"], []).append(_evaluation(point))
        for trial in lake.read("trials", where=where).to_pylist():
            curve = tuple(curves.get(trial["trial"], ()))
            key = _key(trial, base)
            if trial["state"] == FAILED or not curve or key is None or trial["training_steps"] <= 0:
                continue
            one = Earlier(trial["from_search"] or search_id, curve, trial["training_steps"], trial["seconds"] or 0.0,
                          trial["n_parameters"], trial["device"])
            if key not in found or found[key].steps < one.steps:
                found[key] = one
    return found


def _base(row: dict[str, Any]) -> ModelSpec | None:
    try:
        return ModelSpec.of(json.loads(row["settings_json"])["base"])
    except (InputError, KeyError, ValueError):
        return None


def _key(trial: dict[str, Any], base: ModelSpec) -> str | None:
    try:
        return Candidate(trial["trial"], 0, json.loads(trial["parameters_json"])).key(base)
    except (InputError, ValueError):
        return None


def _evaluation(point: dict[str, Any]) -> Evaluation:
    rmse, mae = point["validation_rmse"], point["validation_mae"]
    return Evaluation(point["step"], point["train_loss"], math.inf if rmse is None else rmse,
                      math.inf if mae is None else mae)
