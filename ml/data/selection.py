"""Which rows a model learns from, and how they are split: what a person asked for, checked as far as it can be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from lake.errors import InputError
from ml.data.target import target_of

KEY_KINDS = ("reduced_key", "cell_key")
DEFAULT_SPLIT = (0.8, 0.1, 0.1)
SUBSET = re.compile(r"([a-z0-9][a-z0-9_-]{0,63})(?:@([1-9][0-9]{0,8}))?")


@dataclass(frozen=True)
class Selection:
    """What to learn, from which rows.

    Attributes:
        target: column of `calculations` to predict.
        subset: name of a subset, or ``name@version``.
        version: its version; None = the newest.
        where: SQL condition over `calculation_traits`; with a subset, over its members.
        sources: databases; empty = all.
        key_kind: what makes two rows the same material: ``reduced_key`` or ``cell_key``. All rows of one material,
            in every database, are in one split.
        split: shares of train, validation and test; None = those of the subset, else 0.8, 0.1, 0.1.
        split_seed: 0 = the splits of all subsets; any other number = other ones.
        mixed_references: whether formation energies against several references may be mixed.
    """

    target: str
    subset: str | None = None
    version: int | None = None
    where: str | None = None
    sources: tuple[str, ...] = ()
    key_kind: str = "reduced_key"
    split: tuple[float, float, float] | None = None
    split_seed: int = 0
    mixed_references: bool = False

    def __post_init__(self) -> None:
        target_of(self.target)
        object.__setattr__(self, "sources", tuple(sorted(set(self.sources))))
        self._read_subset()
        if self.key_kind not in KEY_KINDS:
            raise InputError(f"The key {self.key_kind!r:.80} is none of {' and '.join(KEY_KINDS)}.")
        if not isinstance(self.split_seed, int) or not 0 <= self.split_seed < 2**63:
            raise InputError(f"The split seed {self.split_seed!r:.80} is no whole number from 0 on.")
        if self.split is not None:
            object.__setattr__(self, "split", tuple(map(float, self.split)))
            if len(self.split) != 3 or not min(self.split) > 0 or abs(sum(self.split) - 1) > 1e-9:
                raise InputError(
                    f"Split {list(self.split)}: three shares above 0 that add up to 1 are needed, for train, "
                    "validation and test, such as 0.8,0.1,0.1."
                )

    def _read_subset(self) -> None:
        if self.subset is None:
            if self.version is not None:
                raise InputError(f"Version {self.version} is given, and no subset that it could be of.")
            return
        found = SUBSET.fullmatch(self.subset)
        if not found:
            raise InputError(f"{self.subset!r:.80} is no subset: give its name, or name@version.")
        if found[2] and self.version is not None and int(found[2]) != self.version:
            raise InputError(f"The subset {self.subset} is given with version {self.version} beside it: leave one out.")
        object.__setattr__(self, "subset", found[1])
        object.__setattr__(self, "version", int(found[2]) if found[2] else self.version)

    def __str__(self) -> str:
        parts = []
        if self.subset is not None:
            parts.append(f"the subset {self.subset}" + (f" {self.version}" if self.version else ""))
        if self.where is not None:
            parts.append(f"where {self.where}")
        if self.sources:
            parts.append(f"of {' and '.join(self.sources)}")
        return ", ".join(parts) or "all calculations"

    def json(self) -> str:
        """All fields as JSON, always spelled the same way."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Selection:
        """The selection that plain values describe, such as those of :meth:`json`.

        Raises:
            InputError: a field is unknown, or of the wrong form.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(given) - known):
            raise InputError(f"A selection has no field {unknown[0]!r:.80}. Fields: {', '.join(sorted(known))}.")
        values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in given.items()}
        try:
            return cls(**values)
        except TypeError as error:
            raise InputError(f"This is no selection of rows: {error}.") from error
