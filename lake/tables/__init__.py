"""The tables that the lake holds, by name."""

from __future__ import annotations

from lake.tables.calculations import CALCULATIONS
from lake.tables.complexity import COMPLEXITIES, MODEL_COMPARISONS
from lake.tables.dos import DOS
from lake.tables.expressivity import EXPANSIONS, FORMULAS, SELECTION_PATHS, UNMAPPED
from lake.tables.ledger import FETCHES, REJECTS
from lake.tables.models import EVALUATIONS, LEARNING_CURVES, MODELS, PREDICTIONS, PROMOTIONS, TRANSFERS
from lake.tables.searches import SEARCHES, TRIAL_CURVES, TRIALS
from lake.tables.similarity import (
    CLUSTERS,
    FINGERPRINTS,
    GRIDS,
    SIMILARITIES,
    SIMILARITY_GROUPS,
    SIMILARITY_RUNS,
)
from lake.tables.spec import Column, Table
from lake.tables.subsets import SUBSET_MEMBERS, SUBSETS

TABLES: dict[str, Table] = {
    t.name: t
    for t in (
        CALCULATIONS, DOS, FETCHES, REJECTS,
        GRIDS, FINGERPRINTS, SIMILARITIES, SIMILARITY_GROUPS, SIMILARITY_RUNS, CLUSTERS,
        SUBSETS, SUBSET_MEMBERS,
        MODELS, LEARNING_CURVES, PREDICTIONS, EVALUATIONS, TRANSFERS, PROMOTIONS,
        EXPANSIONS, UNMAPPED, SELECTION_PATHS, FORMULAS, COMPLEXITIES, MODEL_COMPARISONS,
        SEARCHES, TRIALS, TRIAL_CURVES,
    )
}

__all__ = ["CALCULATIONS", "DOS", "FETCHES", "REJECTS", "TABLES", "Column", "Table"]
