"""From the options of a person to what a transfer experiment is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml.spec import ModelSpec
    from ml.transfer import TransferRequest


def request_of(
    *, target: str, sources: Sequence[str] | None = None, kind: str = "mpeu", full: bool = False,
    roads: Sequence[str] | None = None, subset: str | None = None, condition: str | None = None,
    level: str | None = None, members: int = 1, steps: int | None = None, seed: int = 0, split_seed: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> TransferRequest:
    """What a person asked for.

    Raises:
        InputError: something of it cannot be; the message says what.
    """
    from lake.errors import InputError
    from ml.data import Selection
    from ml.transfer import ROADS, TransferRequest
    from ml.transfer.recipes import recipe

    given = tuple(sources or ())
    if len(set(given)) != len(given):
        raise InputError(f"A database is given twice: --sources {','.join(given)}.")
    selection = Selection(target, subset=subset, where=condition, sources=given, split_seed=split_seed)
    spec: ModelSpec = recipe(kind, full).but(n_members=members, seed=seed)
    if steps is not None:
        spec = spec.setting("training.steps", steps)
    for path, value in (settings or {}).items():
        spec = spec.setting(path, value)
    return TransferRequest(selection, spec, tuple(roads) if roads else ROADS, level)
