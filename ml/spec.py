"""Everything that decides how a model is made, as one value that reads and writes JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any

from lake.errors import InputError
from ml.training.settings import MACHINE

GRAPH_KINDS = ("mpeu", "schnet", "painn")
TABULAR_KINDS = ("forest", "mlp")
FORMULA_KINDS = ("expansion", "sisso")
"""Cluster expansions and formulas: `matlake expand` and `matlake sisso` make them."""
ENSEMBLE = "ensemble"
"""Networks of several shapes that answer together: `matlake search` makes them."""
TRAINED_KINDS = GRAPH_KINDS + TABULAR_KINDS
"""What `matlake train` makes."""
KINDS = (*TRAINED_KINDS, *FORMULA_KINDS, ENSEMBLE)
BASELINES = ("elements", "none")
SECTIONS = ("model", "training", "graph", "features")
MEMBERS = "members"
"""The one setting of an ensemble: the settings of its members."""
MOST_MEMBERS = 64
INPUTS = (
    "source", "energy_functional", "gap_functional", "xc_functional", "plus_u", "code", "cutoff_ev",
    "k_point_density_angstrom", "spin_polarized",
)
"""Columns of a dataset's rows that may enter a model beside crystal or composition."""


@dataclass(frozen=True)
class ModelSpec:
    """How a model is made from a dataset.

    Attributes:
        kind: mpeu, schnet, painn (graph networks), forest or mlp (composition features); of what other commands make:
            expansion, sisso or ensemble.
        model: settings of the model itself, by name; the rest is default.
        training: settings of training, by name.
        graph: settings of the graphs of crystals, by name; graph networks only.
        features: settings of the features, by name; forest and mlp only.
        n_members: members of the ensemble, trained together; several give uncertainties.
        inputs: columns that enter beside crystal or composition: source, functional, +U, cutoff, k-density.
        baseline: ``elements``: a sum of one number per element is taken off the target first and added to what the
            network says (:mod:`ml.element_terms`); ``none``; None = by kind and target (:func:`ml.defaults.completed`).
        seed: of weights and batches.
    """

    kind: str = "mpeu"
    model: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    graph: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, Any] = field(default_factory=dict)
    n_members: int = 1
    inputs: tuple[str, ...] = ()
    baseline: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"There is no kind of model {self.kind!r:.80}. Kinds: {', '.join(KINDS)}.")
        if type(self.n_members) is not int or not 1 <= self.n_members <= MOST_MEMBERS:
            raise InputError(f"n_members {self.n_members!r:.80}: a whole number from 1 to {MOST_MEMBERS} is needed.")
        if type(self.seed) is not int or not 0 <= self.seed < 2**31:
            raise InputError(f"The seed {self.seed!r:.80} is no whole number from 0 to 2³¹ − 1.")
        if self.baseline is not None and self.baseline not in BASELINES:
            raise InputError(f"There is no baseline {self.baseline!r:.80}; one of {', '.join(BASELINES)} is needed.")
        object.__setattr__(self, "inputs", tuple(self.inputs))
        for name in self.inputs:
            if name not in INPUTS:
                close = get_close_matches(str(name), INPUTS, n=1, cutoff=0.4)
                hint = f" Is {close[0]} meant?" if close else ""
                raise InputError(f"{name!r:.80} cannot be an input.{hint} Inputs: {', '.join(INPUTS)}.")
        for section in self.sections_without_use:
            if getattr(self, section):
                raise InputError(f"Settings of {section} ({', '.join(getattr(self, section))}) mean nothing to a "
                                 f"model of kind {self.kind}: leave them out.")
        if self.kind == ENSEMBLE:
            self._check_members()

    def _check_members(self) -> None:
        if set(self.model) - {MEMBERS}:
            raise InputError(f"An ensemble has no setting {min(set(self.model) - {MEMBERS})!r:.80}: what it has is its "
                             "members, each with settings of its own.")
        if MEMBERS not in self.model:
            return
        given = self.model[MEMBERS]
        if not isinstance(given, list | tuple) or not 2 <= len(given) <= MOST_MEMBERS:
            raise InputError(f"The members of an ensemble are {given!r:.80}; the settings of 2 to {MOST_MEMBERS} "
                             "networks are needed.")
        for place, one in enumerate(self.members):
            if not one.is_graph:
                raise InputError(f"Member {place} of an ensemble is of kind {one.kind}; graph networks "
                                 f"({', '.join(GRAPH_KINDS)}) can be members.")
        n = sum(one.n_members for one in self.members)
        if n > MOST_MEMBERS or n != self.n_members:
            raise InputError(f"The members of an ensemble are {n} networks in all, and n_members is {self.n_members}: "
                             f"they must be the same, {MOST_MEMBERS} at most.")

    @classmethod
    def ensemble(cls, members: Sequence[ModelSpec]) -> ModelSpec:
        """Networks that are trained one after the other and answer together.

        Args:
            members: at least two, each complete with its seed.

        Raises:
            InputError: there are too few or too many, or one is no graph network.
        """
        plain = [json.loads(one.json()) for one in members]
        return cls(ENSEMBLE, {MEMBERS: plain}, n_members=max(1, sum(one.n_members for one in members)))

    @property
    def members(self) -> tuple[ModelSpec, ...]:
        """The members of an ensemble of several shapes; none of another kind.

        Raises:
            InputError: the settings of one are impossible.
        """
        found = []
        for place, given in enumerate(self.model.get(MEMBERS, ()) if self.kind == ENSEMBLE else ()):
            if not isinstance(given, Mapping):
                raise InputError(f"Member {place} of an ensemble is {given!r:.80}; its settings by name are needed.")
            try:
                found.append(ModelSpec.of(given))
            except InputError as error:
                raise InputError(f"Member {place} of an ensemble: {error}") from None
        return tuple(found)

    @property
    def sees_crystals(self) -> bool:
        """Whether it is made of networks on graphs of crystals."""
        return self.is_graph or self.kind == ENSEMBLE

    @property
    def is_graph(self) -> bool:
        """Whether it is a network on graphs of crystals."""
        return self.kind in GRAPH_KINDS

    def check_trainable(self) -> None:
        """Refuse what `matlake train` does not make.

        Raises:
            InputError: another command makes this kind.
        """
        if self.kind not in TRAINED_KINDS and not self.members:
            command = {"expansion": "expand", "sisso": "sisso", ENSEMBLE: "search"}[self.kind]
            raise InputError(f"A model of kind {self.kind} is made by `matlake {command}`. Kinds that can be trained: "
                             f"{', '.join(TRAINED_KINDS)}.")

    @property
    def sections_without_use(self) -> tuple[str, ...]:
        """The settings that this kind of model does not have."""
        if self.kind == ENSEMBLE:
            return ()
        return ("features",) if self.is_graph else ("graph",)

    def but(self, **changes: Any) -> ModelSpec:
        """This spec with other values in some fields."""
        return replace(self, **changes)

    def setting(self, path: str, value: Any) -> ModelSpec:
        """This spec with one setting changed.

        Args:
            path: ``<section>.<name>``, such as ``training.learning_rate``; or n_members, baseline, seed.
            value: its value.

        Raises:
            InputError: there is no such place.
        """
        section, dot, name = path.partition(".")
        if section in ("n_members", "seed", "baseline") and not dot:
            return self.but(**{section: value})
        if section not in SECTIONS or not name.isidentifier():
            raise InputError(
                f"There is no setting {path!r:.80}. Settings are written <part>.<name>, such as "
                f"training.learning_rate; parts: {', '.join(SECTIONS)}."
            )
        return self.but(**{section: dict(getattr(self, section)) | {name: value}})

    def json(self) -> str:
        """All fields as JSON, always spelled the same way."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @property
    def recipe(self) -> str:
        """The JSON without what says where training runs: models of the same recipe and data are the same."""
        return self.for_any_machine().json()

    def for_any_machine(self) -> ModelSpec:
        """This spec without what says where training runs."""
        if self.members:
            return self.but(model=ModelSpec.ensemble([one.for_any_machine() for one in self.members]).model)
        return replace(self, training={name: value for name, value in self.training.items() if name not in MACHINE})

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> ModelSpec:
        """The spec that plain values describe, such as those of :meth:`json`.

        Raises:
            InputError: a field is unknown, or of the wrong form.
        """
        known = {one.name for one in fields(cls)}
        if unknown := sorted(set(given) - known):
            raise InputError(f"A model's settings have no part {unknown[0]!r:.80}. Parts: {', '.join(sorted(known))}.")
        for section in SECTIONS:
            values = given.get(section, {})
            if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
                raise InputError(f"The settings of {section} are {values!r:.80}; names with values are needed.")
        inputs = given.get("inputs", ())
        if not isinstance(inputs, list | tuple):
            raise InputError(f"inputs is {inputs!r:.80}; a list of columns is needed.")
        return cls(**given)
