"""What makes rows useless for training, found before any long work and said with what to do."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import InputError
from ml.data.target import FORMATION_ENERGY, Target

if TYPE_CHECKING:
    from ml.data.selection import Selection

SPLITS = ("train", "validation", "test")
HULL = "energy_above_hull_ev_per_atom"


def check_rows(n_selected: int, left_out: dict[str, int], n_kept: int, target: Target, asked: Selection) -> None:
    """Refuse a selection of which nothing can be learned from.

    Args:
        n_selected: rows that the selection holds.
        left_out: how many of them cannot be used, by reason.
        n_kept: how many can.
        target: what is to be predicted.
        asked: the selection, for the message.

    Raises:
        InputError: it is empty, or nothing of it can be used.
    """
    if n_selected == 0:
        raise InputError(
            f"Nothing to learn from: {asked} holds no calculation. Look at what is there with matlake status and "
            "matlake curate --list, and widen the condition."
        )
    if n_kept == 0:
        reasons = "; ".join(f"{n:,} {why}" for why, n in left_out.items() if n)
        raise InputError(
            f"Nothing to learn from: of {n_selected:,} calculations ({asked}) none can be used for {target.column}: "
            f"{reasons}. Take another target, other rows, or a source that has both structures and values."
        )


def check_splits(rows: pa.Table, asked: Selection) -> None:
    """Refuse rows that cannot be split into train, validation and test by material.

    Raises:
        InputError: all rows are of one material, or a split is empty.
    """
    keys = pc.count_distinct(rows["material_key"]).as_py()
    if keys < len(SPLITS):
        which = f"all of one material ({rows['material_key'][0]})" if keys == 1 else f"of {keys} materials only"
        raise InputError(
            f"The {rows.num_rows:,} calculations ({asked}) are {which} by {asked.key_kind}, and all rows of one "
            "material belong to one split: nothing would be left to validate and test with. Select more materials."
        )
    counts = Counter(rows["split"].to_pylist())
    for name in SPLITS:
        if not counts[name]:
            raise InputError(
                f"The split {name} is empty: of {keys:,} materials none falls into it with split seed "
                f"{asked.split_seed} and shares {', '.join(f'{s:g}' for s in asked.split or ())}. Select more "
                "materials, or give other shares or another seed (--split, --split-seed)."
            )


def reference_of(rows: pa.Table, target: Target, level: str | None, mixed_allowed: bool) -> str | None:
    """What the values of a target refer to.

    Args:
        rows: with ``source`` and ``formation_energy_reference``.
        target: what is predicted.
        level: database to whose level the subset's formation energies were corrected; None = they were not.
        mixed_allowed: whether several references may be mixed.

    Returns:
        The one reference; None where the target has none, it is unknown, or several are mixed.

    Raises:
        InputError: values of several references, and that was not asked for.
    """
    if target.column == FORMATION_ENERGY and level is not None:
        return f"level of {level}"
    if target.column not in (FORMATION_ENERGY, HULL):
        return None
    counts: Counter[str] = Counter()
    known: set[str | None] = set()
    for source, reference in zip(
        rows["source"].to_pylist(), rows["formation_energy_reference"].to_pylist(), strict=True
    ):
        # Two databases that do not say what they refer to cannot be taken for referring to the same.
        name = f"the hull of {source}" if target.column == HULL else reference or f"that of {source}, not stated"
        counts[name] += 1
        known.add(name if target.column == HULL else reference)
    if len(counts) == 1:
        return known.pop()
    if mixed_allowed:
        return None
    listed = ", ".join(f"{n:,} against {name}" for name, n in counts.most_common())
    raise InputError(
        f"The {target.label} is given against {len(counts)} references: {listed}. A model would learn their "
        "difference as if it were physics. Select one (--where or --source), train on a subset that was brought to "
        "one level (matlake curate --correct), or say that this is meant (--mixed-references)."
    )


def warnings_of(rows: pa.Table, target: Target) -> tuple[str, ...]:
    """What a person should know about the rows, and what does not keep a model from learning."""
    warnings = []
    known = Counter(f for f in rows[target.functional_column].to_pylist() if f is not None)
    if len(known) > 1:
        listed = ", ".join(f"{name} ({n:,})" for name, n in known.most_common(6))
        warnings.append(
            f"The {target.label} is of {len(known)} functionals: {listed}. Models do better on one, or with the "
            f"functional as an input (--inputs {target.functional_column})."
        )
    return tuple(warnings)
