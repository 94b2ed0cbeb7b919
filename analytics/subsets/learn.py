"""Rules learned from similarities: which settings give the density of states that converged settings give.

Every calculation with a fingerprint is compared with its material's reference. The settings that tell those that are
like it from those that are not become the rule. It is tried on calculations that it was not learned from, and
dropped if it is no better there than none.

A material teaches as much as its reference is worth: where none of its calculations is converged, the coarse ones are
like each other. What is learned from series that were made to converge holds best.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from analytics.subsets.prints import Prints, prints_of, similarity_to, typicality
from analytics.subsets.rule import SETTINGS, Row, Rule
from analytics.subsets.steps import Step

if TYPE_CHECKING:
    from analytics.subsets.recipe import Learn
    from analytics.subsets.selection import Selection

FEWEST_CALCULATIONS = 20
FEWEST_MATERIALS = 5
"""Below this, whole materials cannot be left out; combinations of settings are."""
FOLDS = 10


@dataclass(frozen=True)
class Example:
    """A calculation with its settings and whether its density of states is like its reference's."""

    calculation_id: str
    material_key: str
    settings: Row
    similarity: float

    def group(self, by_material: bool) -> str:
        """What is left out together."""
        return self.material_key if by_material else repr(sorted(self.settings.items()))


@dataclass(frozen=True)
class Trial:
    """How a rule does on calculations that it was not learned from.

    ``share_without`` is the share of similar calculations among all, ``precision`` among those that pass, ``recall``
    the share of the similar ones that pass; intervals are exact 95 % binomial ones (Clopper and Pearson 1934), which
    take calculations as independent: those of one material are not, so they are rather too narrow.
    """

    left_out: str
    n: int
    n_similar: int
    n_pass: int
    n_pass_similar: int

    @property
    def as_dict(self) -> dict[str, Any]:
        """Counts, shares and intervals as plain values."""
        return {
            "left_out": self.left_out, "n_calculations": self.n, "n_similar": self.n_similar, "n_pass": self.n_pass,
            "n_pass_similar": self.n_pass_similar, "share_without": self.n_similar / self.n,
            "precision": _share(self.n_pass_similar, self.n_pass),
            "precision_interval": binomial_interval(self.n_pass_similar, self.n_pass),
            "recall": _share(self.n_pass_similar, self.n_similar),
            "recall_interval": binomial_interval(self.n_pass_similar, self.n_similar),
        }


@dataclass(frozen=True)
class Learned:
    """What was learned: a rule, or the reason why there is none."""

    rule: Rule | None
    reason: str | None
    facts: dict[str, Any]

    def step(self, learn: Learn) -> Step:
        """The funnel's step; without a rule it leaves nothing out."""
        if self.rule is None:
            return Step("learned", f"nothing learned because {self.reason}", "true", "")
        words, sql = str(self.rule), f"({self.rule.sql})"
        if learn.unknown_settings == "keep":
            nulls = " and ".join(f"({setting.sql}) is null" for setting in self.rule.settings)
            sql, words = f"({sql} or ({nulls}))", f"{words} (or none of these settings known)"
        like = f"such densities of states are at least {learn.similarity:g} like {_reference(learn)}"
        return Step("learned", f"{words}: {like}", sql, "of other settings", f"with {words}")


def learned_from(selection: Selection, learn: Learn) -> Learned:
    """Learn a rule from the rows that are still in."""
    prints = prints_of(selection, learn.grid)
    examples = examples_of(selection, prints, learn)
    facts: dict[str, Any] = {
        "grid_id": learn.grid, "similarity": learn.similarity, "reference": learn.reference,
        "n_materials": len({e.material_key for e in examples}), "n_calculations": len(examples),
        "n_similar": sum(e.similarity >= learn.similarity for e in examples), "rule": None, "sql": None, "trial": None,
        "references": _references(prints, examples),
    }
    rule, reason, trial = _rule_or_reason(examples, learn)
    facts["trial"] = trial.as_dict if trial else None
    if rule is not None:
        facts |= {"rule": str(rule), "sql": rule.sql}
    return Learned(rule, reason, facts | {"reason": reason})


def examples_of(selection: Selection, prints: Prints, learn: Learn) -> list[Example]:
    """All calculations with a fingerprint, without the references themselves, in the order of their ids."""
    similar = similarity_to(prints, references_of(selection, prints, learn.reference))
    selection.register("printed", {"calculation_id": prints.ids})
    columns = ", ".join(f"{setting.sql} as {setting.name}" for setting in SETTINGS)
    rows = selection.rows(
        f"select calculation_id, material_key, {columns} from kept join printed using (calculation_id) "  # noqa: S608
        "order by calculation_id"
    ).to_pylist()
    return [
        Example(row["calculation_id"], row["material_key"], {s.name: row[s.name] for s in SETTINGS},
                similar[row["calculation_id"]][1])
        for row in rows if similar[row["calculation_id"]][0] != row["calculation_id"]
    ]


def references_of(selection: Selection, prints: Prints, reference: str) -> list[str]:
    """The calculation of every material that the others are compared with: most converged, or medoid."""
    if reference == "medoid":
        typical = typicality(prints)
        return [
            min(prints.ids[rows], key=lambda one: (-typical[one], one)) for _, rows in prints.materials()
        ]
    selection.register("printed", {"calculation_id": prints.ids})
    selection.connection.execute(
        "create or replace temp table candidates as "
        "select kept.*, cast(null as double) as typicality from kept join printed using (calculation_id)"
    )
    found = selection.rows("select calculation_id from preferred('candidates', false) where place = 1")
    return [str(one) for one in found["calculation_id"].to_pylist()]


def _rule_or_reason(examples: Sequence[Example], learn: Learn) -> tuple[Rule | None, str | None, Trial | None]:
    similar = [e.similarity >= learn.similarity for e in examples]
    n, n_similar, like = len(examples), sum(similar), f"at least {learn.similarity:g} like {_reference(learn)}"
    if n < FEWEST_CALCULATIONS:
        return None, (
            f"of the rows that the rules before leave, {n} calculations can be compared with another of their material "
            f"on the grid {learn.grid}, and {FEWEST_CALCULATIONS} are needed (matlake fingerprint makes fingerprints)"
        ), None
    if n_similar == n:
        return None, f"all {n} calculations are {like}: there is nothing to leave out", None
    if n_similar < learn.smallest_group:
        return None, f"only {n_similar} of {n} calculations are {like}, and {learn.smallest_group} are needed", None
    from analytics.subsets.search import best_rule

    rule = best_rule([e.settings for e in examples], similar, learn)
    if not rule.groups or rule.is_everything:
        return None, (
            f"no settings separate the {n_similar} of {n} calculations that are {like}: no group of "
            f"{learn.smallest_group} or more has a share of {learn.share:g} of them"
            if not rule.groups else f"{n_similar} of {n} calculations are {like}, whatever their settings"
        ), None
    trial = tried(examples, learn)
    if trial.n_pass == 0 or trial.n_pass_similar * trial.n <= trial.n_similar * trial.n_pass:
        return None, (
            f"the best rule ({rule}) is no better than none on {trial.left_out} that it was not learned from: "
            f"{trial.n_pass_similar} of {trial.n_pass} there are {like}, without a rule {n_similar} of {n}"
        ), trial
    return rule, None, trial


def tried(examples: Sequence[Example], learn: Learn) -> Trial:
    """Learn from a part and test on the rest, in turn: whole materials, or combinations of settings, are left out."""
    from analytics.subsets.search import best_rule

    by_material = len({e.material_key for e in examples}) >= FEWEST_MATERIALS
    groups = sorted({e.group(by_material) for e in examples}, key=_digest)
    fold_of = {group: place % min(FOLDS, len(groups)) for place, group in enumerate(groups)}
    passed: list[tuple[Example, bool]] = []
    for fold in sorted(set(fold_of.values())):
        known = [e for e in examples if fold_of[e.group(by_material)] != fold]
        if not known:
            continue
        # A group at the limit of the smallest size must still be found in a part.
        smallest = max(2, learn.smallest_group * len(known) // len(examples))
        part = replace(learn, smallest_group=smallest)
        rule = best_rule([e.settings for e in known], [e.similarity >= learn.similarity for e in known], part)
        passed += [(e, rule.fits(e.settings)) for e in examples if fold_of[e.group(by_material)] == fold]
    return Trial(
        "materials" if by_material else "combinations of settings", len(examples),
        sum(e.similarity >= learn.similarity for e in examples), sum(passes for _, passes in passed),
        sum(passes and e.similarity >= learn.similarity for e, passes in passed),
    )


def binomial_interval(hits: int, n: int, level: float = 0.95) -> tuple[float, float] | None:
    """The exact interval of a share (Clopper and Pearson, Biometrika 26, 404 (1934)); None of nothing."""
    from scipy.stats import beta

    if n == 0:
        return None
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(1 - tail, hits + 1, n - hits))
    return low, high


def _share(hits: int, n: int) -> float | None:
    return hits / n if n else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _reference(learn: Learn) -> str:
    return f"the material's {'most converged calculation' if learn.reference == 'converged' else 'medoid'}"


def _references(prints: Prints, examples: Sequence[Example]) -> list[str]:
    """The first few references: fingerprinted calculations that are no example."""
    known = {e.calculation_id for e in examples}
    return [one for one in prints.ids if one not in known][:20]
