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
        spec = spec.setting("model.n_estimators" if kind == "forest" else "training.steps", steps)
    for path, value in (settings or {}).items():
        spec = spec.setting(path, value)
    return TransferRequest(selection, spec, tuple(roads) if roads else ROADS, level)


def settings_of(words: Sequence[str]) -> dict[str, Any]:
    """Settings given as path=value; a value is JSON where it can be read so, else text.

    Raises:
        SettingsError: one is not of that form.
    """
    import json

    from lake.errors import SettingsError

    found: dict[str, Any] = {}
    for word in words:
        path, given, value = word.partition("=")
        if not given or not path:
            raise SettingsError(f"--set {word!r:.80}: give it as path=value, such as training.learning_rate=1e-3.")
        try:
            found[path] = json.loads(value)
        except ValueError:
            found[path] = value
    return found
