"""From the options of a person to what a search is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml.data import Selection
    from ml.search.request import SearchRequest


@dataclass(frozen=True)
class Asked:
    """What a person asked for.

    Attributes:
        selection: of the rows.
        request: of the search.
        name: of the search, and of the ensemble where it challenges nobody.
        challenge: name of the models whose champion the ensemble is compared with; None = it is not.
        margin: how much worse it may be, as a share of the champion's error.
    """

    selection: Selection
    request: SearchRequest
    name: str
    challenge: str | None
    margin: float


def asked_of(
    *, target: str, model: str = "mpeu", subset: str | None = None, condition: str | None = None,
    sources: Sequence[str] = (), space: str = "paper", sampler: str = "tpe", pruner: str = "hyperband",
    candidates: int | None = None, steps: int | None = None, least_steps: int | None = None, finishers: int = 3,
    per_shape: int = 1,
    stacked: int | None = None, ensemble: int | None = None, challenge: str | None = None, margin: float = 0.05,
    price: float | None = None, name: str | None = None, seed: int = 0, split_seed: int = 0,
    split: tuple[float, float, float] | None = None, key: str = "reduced_key", mixed_references: bool = False,
    device: str | None = None, settings: Mapping[str, Any] | None = None,
) -> Asked:
    """What a person asked for.

    Raises:
        InputError: something of it cannot be; the message says what.
    """
    from lake.errors import InputError
    from ml.data import Selection
    from ml.registry.rows import check_name
    from ml.retrain.decide import check_margin
    from ml.search.request import CANDIDATES, MOST_STACKED, SearchRequest
    from ml.search.space import Space, with_parameters
    from ml.spec import GRAPH_KINDS, ModelSpec

    if model not in GRAPH_KINDS:
        raise InputError(f"Networks are searched: --model {', '.join(GRAPH_KINDS)}, and not {model!r:.40}.")
    check_margin(margin)
    if challenge is not None:
        check_name(challenge)
        if ensemble == 0:
            raise InputError("It is the ensemble that challenges a champion: --challenge needs one (--ensemble 2 or "
                             "more).")
    selection = Selection(target, subset=subset, where=condition, sources=tuple(sources), key_kind=key, split=split,
                          split_seed=split_seed, mixed_references=mixed_references)
    varied = Space.named(space)
    own = {"training.steps": steps, "training.device": device}
    given = {path: value for path, value in own.items() if value is not None} | dict(settings or {})
    if twice := sorted(set(given) & set(varied.plain)):
        raise InputError(f"{twice[0]} is set, and the space {varied.name} varies it: leave one of them out.")
    base = with_parameters(ModelSpec(model), dict(varied.base) | given)
    request = SearchRequest(
        base, varied, sampler=sampler, pruner=pruner, candidates=CANDIDATES if candidates is None else candidates,
        least_steps=least_steps, finishers=finishers, per_shape=per_shape,
        most_stacked=MOST_STACKED if stacked is None else stacked, ensemble=ensemble, seed=seed, price_per_hour=price,
    )
    return Asked(selection, request, name or _name(selection, model), challenge, margin)


def _name(selection: Selection, model: str) -> str:
    """As in ``oxides-band-gap-mpeu-search``."""
    import re

    from ml.data import target_of

    words = [*([selection.subset] if selection.subset else selection.sources), target_of(selection.target).label,
             model, "search"]
    return re.sub(r"[^a-z0-9_]+", "-", "-".join(words).lower()).strip("-")[:64].strip("-")
