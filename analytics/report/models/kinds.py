"""What kinds of models are called, and what is true of a kind alone."""

from __future__ import annotations

SINGLE: dict[str, str] = {
    **dict.fromkeys(("mpeu", "schnet", "painn", "mlp"), "a single network"),
    "forest": "a single forest", "expansion": "a single cluster expansion", "sisso": "a single formula",
    "ensemble": "an ensemble of a single network",
}
WORDS: dict[str, str] = {
    "expansion": "cluster expansion", "sisso": "formula found by SISSO", "ensemble": "ensemble of several networks",
}
TRAINED_ALONE = frozenset(("expansion", "sisso"))
"""Kinds that have no members and no gradient steps."""
DOMAIN: dict[str, str] = {
    "expansion": "It knows relaxed crystals that can be mapped onto its parent lattices; of others it says nothing.",
    "sisso": "It is a formula of the columns that stand in it: outside the ranges of the rows that it was found on it "
             "is a guess.",
}
CRYSTALS = ("It knows relaxed crystals as databases hold them: not molecules, surfaces, defects, or structures far "
            "from equilibrium.")


def single(kind: str) -> str:
    """What a model of one member is."""
    return SINGLE.get(kind, "a single model")


def described(kind: str, n_members: int) -> str:
    """The kind in words, with the members where there can be several."""
    members = f"{n_members:,} member{'' if n_members == 1 else 's'}"
    words = WORDS.get(kind, kind)
    return words if kind in TRAINED_ALONE else f"{words}, {members}"


def of_the_kind(kind: str) -> list[str]:
    """Limits that all models of a kind have."""
    fitted = ["Its errors on train and validation rows are of rows that it was fitted to: cross-validation took the "
              "place of a validation split."] if kind == "expansion" else []
    return [*fitted, DOMAIN.get(kind, CRYSTALS)]
