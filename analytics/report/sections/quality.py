"""What could not be taken, and what was taken but looks wrong."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from analytics.report.ask import Asker
from analytics.report.section import Caption, Section, Sources

EXAMPLES = 3
MOST_EXAMPLES = 25

FINDINGS: dict[str, tuple[str, str]] = {
    "energy_contradiction": (
        "formation energy against total energy",
        "The stated formation energy is not what the total energy gives with the references of all other rows."),
    "impossible_volume": ("impossible volume", "The volume per atom is below 3 or above 250 Å³."),
    "extreme_formation_energy": ("extreme formation energy", "Beyond ±5 eV/atom."),
    "gap_of_a_metal": ("a metal with a gap", "Called a metal, with a band gap above 0.01 eV."),
    "spacegroup_disagreement": (
        "another space group than the source states", "matlake finds another one at symprec 0.1 Å."),
    "unknown_functional": ("unknown functional", "Neither the record nor its calculation names the functional."),
    "no_key": ("no identity", "Without a structure or space group, a row cannot be compared."),
}


@dataclass(frozen=True)
class Finding:
    """One kind of doubt with its counts per database (0 = none)."""

    words: str
    meaning: str
    counts: list[tuple[str, int]]


def section(asker: Asker, sources: Sources) -> Section:
    """Rejects by reason, suspicious rows by finding, and a few rows by name."""
    title = "Rejects and doubts"
    lead = (
        "No record is dropped in silence: what cannot be taken is kept with its reason. What was taken but "
        "looks wrong stays in the lake and is listed here."
    )
    rows = asker.rows("quality", examples=str(EXAMPLES))
    counts = [r for r in rows if r["n_rows"] is not None]
    named = [r for r in rows if r["n_rows"] is None]
    rejected = sum(r["n_rows"] for r in counts if r["finding"] == "rejected")
    doubted = [r for r in named if r["finding"] != "rejected"]
    if not sources.names:
        return Section("quality", title, lead, nothing="Nothing was taken into this lake yet, and nothing rejected.")
    made_from = asker.made_from("calculations", "rejects")
    return Section("quality", title, lead, {
        "n_rejected": rejected,
        "rejects": _by_subject(counts, "rejected", sources),
        "reject_examples": [r for r in named if r["finding"] == "rejected"][:MOST_EXAMPLES],
        "findings": _findings(counts, sources),
        "doubts": doubted[:MOST_EXAMPLES],
        "words": {name: words for name, (words, _) in FINDINGS.items()},
        "names": sources.names,
        "rejects_caption": Caption("Rejected records by reason.", asker.made_from("rejects"), f"{rejected:,} records"),
        "findings_caption": Caption(
            "Rows that are in the lake and look wrong or cannot be judged.", made_from,
            f"{sum(r['n_rows'] for r in counts if r['finding'] != 'rejected'):,} findings"),
        "doubts_caption": Caption(
            f"The worst rows by name, at most {EXAMPLES} per database and finding; all counts are above.", made_from,
            f"{len(doubted[:MOST_EXAMPLES]):,} rows"),
        "reject_examples_caption": Caption(
            f"Some of the rejected records, at most {EXAMPLES} per database and reason.", asker.made_from("rejects"),
            f"{len([r for r in named if r['finding'] == 'rejected'][:MOST_EXAMPLES]):,} records"),
    })


def _by_subject(counts: list[dict[str, Any]], finding: str, sources: Sources) -> list[Finding]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in counts:
        if row["finding"] == finding:
            found[row["subject"] or "no reason given"][row["source"]] = row["n_rows"]
    ordered = sorted(found.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    return [
        Finding(subject.replace("_", " "), "", [(s, of.get(s, 0)) for s in sources.names]) for subject, of in ordered
    ]


def _findings(counts: list[dict[str, Any]], sources: Sources) -> list[Finding]:
    """The findings in the order of FINDINGS, unknown ones (of a newer query) after them."""
    present = {row["finding"] for row in counts} - {"rejected"}
    result = []
    for name in [*(f for f in FINDINGS if f in present), *sorted(present - set(FINDINGS))]:
        words, meaning = FINDINGS.get(name, (name.replace("_", " "), ""))
        subjects = _by_subject(counts, name, sources)
        if len(subjects) == 1 and subjects[0].words == "no reason given":
            result.append(Finding(words, meaning, subjects[0].counts))
        else:
            result += [
                Finding(f"{words}: {s.words}", meaning if s is subjects[0] else "", s.counts) for s in subjects
            ]
    return result
