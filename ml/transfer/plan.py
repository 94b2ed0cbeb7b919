"""Which models an experiment trains, on which rows, and what it leaves out and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow.compute as pc

from lake.errors import InputError
from ml.data import Dataset
from ml.slices import in_common
from ml.spec import ModelSpec
from ml.transfer.corrections import Corrections, left_out
from ml.transfer.request import TransferRequest

LONGEST_NAME = 64
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Job:
    """One model of the experiment.

    Attributes:
        road: own, combined, settings or corrected.
        trained_on: databases, alphabetical.
        name: what the model is called.
        spec: how it is made.
        n_train: rows that it learns from.
    """

    road: str
    trained_on: tuple[str, ...]
    name: str
    spec: ModelSpec
    n_train: int

    @property
    def title(self) -> str:
        """The model in words, as in ``aflow+mp (settings)``."""
        return f"{'+'.join(self.trained_on)} ({self.road})"


@dataclass(frozen=True)
class Plan:
    """What will be done.

    Attributes:
        jobs: the models, those with most rows first, as they take longest.
        sources: databases, alphabetical.
        counts: rows by database and split.
        n_common: materials in two or more of the databases.
        n_common_train: those of them in the training split.
        notes: what is left out, and why.
    """

    jobs: tuple[Job, ...]
    sources: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]
    n_common: int
    n_common_train: int
    notes: tuple[str, ...]


def plan(dataset: Dataset, request: TransferRequest, corrections: Corrections | str) -> Plan:
    """Lay out an experiment.

    Args:
        dataset: rows of all databases.
        request: what was asked.
        corrections: what brings targets to one level; or why there is no such thing.

    Raises:
        InputError: fewer than two databases have the target, or one lacks rows in a split; the message says which.
    """
    counts = _counts(dataset, request)
    sources = tuple(sorted(counts))
    common = dataset.rows.filter(in_common(dataset.rows))
    n_common = pc.count_distinct(common["material_key"]).as_py()
    of_train = common.filter(pc.equal(common["split"], "train"))
    notes = list(dataset.warnings)
    if not n_common:
        notes.append("No material is in two of the databases: how far their values are apart for the same material "
                     "cannot be told, and an error on another database is that of other materials as well.")
    jobs: list[Job] = []
    for road in request.roads:
        if road == "own":
            jobs += [_job(request, dataset, road, (one,), counts) for one in sources]
        elif road == "corrected":
            correctable, said = _correctable(sources, corrections)
            notes += said
            jobs += [_job(request, dataset, road, correctable, counts)] if correctable else []
        else:
            jobs.append(_job(request, dataset, road, sources, counts))
    jobs.sort(key=lambda job: (-job.n_train, job.name))
    return Plan(
        tuple(jobs), sources, counts, n_common, pc.count_distinct(of_train["material_key"]).as_py(), tuple(notes)
    )


def _counts(dataset: Dataset, request: TransferRequest) -> dict[str, dict[str, int]]:
    found = Counter(zip(dataset.rows["source"].to_pylist(), dataset.rows["split"].to_pylist(), strict=True))
    asked = request.selection.sources or dataset.sources
    counts = {source: {split: found[source, split] for split in SPLITS} for source in asked}
    empty = [source for source, of_splits in counts.items() if not sum(of_splits.values())]
    have = ", ".join(f"{name} ({sum(c.values()):,} rows)" for name, c in counts.items() if name not in empty) or "none"
    if empty or len(counts) < 2:
        lack = f"{' and '.join(empty)} has none" if empty else "two databases are needed"
        raise InputError(
            f"Nothing can be carried over: of the calculations with {dataset.target.column} and a structure "
            f"({dataset.selection}), {lack}. Databases that have some: {have}. Take another target, other databases "
            "(--sources) or other rows."
        )
    for source, of_splits in counts.items():
        for split, n in of_splits.items():
            if not n:
                raise InputError(
                    f"The split {split} of {source} is empty ({sum(of_splits.values()):,} rows with "
                    f"{dataset.target.column} in all): its model could not be trained and tested. Take more rows, or "
                    "leave it out (--sources)."
                )
    return counts


def _correctable(sources: tuple[str, ...], corrections: Corrections | str) -> tuple[tuple[str, ...], list[str]]:
    """The databases whose values can be brought to one level, none if they are fewer than two; and what is left out."""
    if isinstance(corrections, str):
        return (), [f"The road corrected is left out: {corrections}"]
    out = left_out(corrections, sources)
    remaining = tuple(source for source in sources if source not in out)
    said = [f"The road corrected is gone without {', '.join(out)}: no training material is in common with "
            f"{corrections.level}."] if out else []
    return (remaining, said) if len(remaining) > 1 else ((), said)


def _job(
    request: TransferRequest, dataset: Dataset, road: str, sources: tuple[str, ...],
    counts: Mapping[str, Mapping[str, int]],
) -> Job:
    inputs = request.inputs(dataset.target) if road == "settings" else request.spec.inputs
    spec = request.spec.but(inputs=inputs)
    n_train = sum(counts[source]["train"] for source in sources)
    return Job(road, sources, _name(request, dataset.target.label, road, sources), spec, n_train)


def _name(request: TransferRequest, label: str, road: str, sources: tuple[str, ...]) -> str:
    """As in ``transfer-formation-energy-settings-aflow-mp``; short enough for a model's name."""
    words = [request.name, label, *(() if road == "own" else (road,)), *sources]
    name = re.sub(r"[^a-z0-9_]+", "-", "-".join(words).lower()).strip("-")
    if len(name) <= LONGEST_NAME:
        return name
    from hashlib import sha256

    return f"{name[:LONGEST_NAME - 9]}-{sha256(name.encode()).hexdigest()[:8]}"
