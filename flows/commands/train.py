"""`matlake train`: a model from a subset or a condition."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.options import Format, Output, Root, open_lake

if TYPE_CHECKING:
    from ml.data import Selection
    from ml.spec import ModelSpec


def command(
    ctx: typer.Context,
    subset: Annotated[str | None, typer.Option("--subset", help="A subset: NAME (newest version) or NAME@VERSION.")
                      ] = None,
    where: Annotated[str | None, typer.Option("--where", "-w", help="A condition in SQL over calculation_traits; with "
                                              "--subset, over its members.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Databases, with commas; default all.")] = None,
    target: Annotated[str, typer.Option("--target", "-t", help="Column to predict: formation_energy_ev_per_atom, "
                                        "band_gap_ev, …")] = "formation_energy_ev_per_atom",
    model: Annotated[str | None, typer.Option("--model", "-m", help="mpeu (default), schnet, painn, forest or mlp.")
                     ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the model; default: subset, target and kind.")
                    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Gradient steps; of a forest: trees. Default: by the "
                                              "number of rows.")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Crystals in a step; default 32.")] = None,
    channels: Annotated[int | None, typer.Option("--channels", help="Width of the network; default 64.")] = None,
    members: Annotated[int | None, typer.Option("--members", help="Members of the ensemble, trained together; several "
                                                "give uncertainties. Default 1.")] = None,
    inputs: Annotated[str | None, typer.Option("--inputs", help="Settings as inputs, with commas: source, "
                                               "energy_functional, plus_u, cutoff_ev, …")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of weights and batches; default 0.")] = None,
    split_seed: Annotated[int, typer.Option("--split-seed", help="0 = the splits of all subsets; other numbers give "
                                            "others.")] = 0,
    split: Annotated[str | None, typer.Option("--split", help="Shares of train, validation, test; default those of the "
                                              "subset, else 0.8,0.1,0.1.")] = None,
    key: Annotated[str, typer.Option("--key", help="What makes two rows the same material, and keeps them in one "
                                     "split: reduced_key or cell_key.")] = "reduced_key",
    device: Annotated[str | None, typer.Option("--device", help="auto (default), cpu or cuda.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Any other setting, as path=value, such as "
                                                   "training.learning_rate=1e-3; may be given several times.")] = None,
    spec: Annotated[Path | None, typer.Option("--spec", help="Settings as JSON, such as matlake models NAME --spec "
                                              "writes; other options come on top.")] = None,
    mixed_references: Annotated[bool, typer.Option("--mixed-references", help="Let formation energies against several "
                                                   "references be mixed.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Train also what was trained before.")] = False,
    format_: Format = "table",
    output: Output = None,
    root: Root = None,
) -> None:
    """Train a model, evaluate it, and save it with everything that repeats it.

    The same command after an interruption goes on where it stopped. All rows of one material, in every database, are
    in one split.
    """
    from flows.terminal import check_format
    from flows.training import run
    from flows.words import shares
    from lake.errors import SettingsError
    from ml.data import Selection

    check_format(format_, output)
    if subset is None and where is None and source is None:
        raise SettingsError("Train on what? Give --subset NAME, --where \"a condition\" or --source DATABASE; "
                            "matlake curate --list shows the subsets.")
    asked = Selection(
        target, subset=subset, where=where, sources=tuple(_words(source)), key_kind=key, split=shares(split),
        split_seed=split_seed, mixed_references=mixed_references,
    )
    given: dict[str, Any] = {"n_members": members, "seed": seed, "inputs": tuple(_words(inputs)) if inputs else None}
    sections: dict[str, Any] = {"training.batch_size": batch_size, "model.channels": channels,
                                "training.device": device}
    chosen = _spec(spec, model, {name: value for name, value in given.items() if value is not None})
    for path, value in sections.items():
        chosen = chosen if value is None else chosen.setting(path, value)
    if steps is not None:
        chosen = chosen.setting("model.n_estimators" if chosen.kind == "forest" else "training.steps", steps)
    for word in set_ or []:
        chosen = chosen.setting(*_setting(word))
    run(open_lake(ctx, root), asked, chosen, name or _name(asked, chosen), again, format_, output)


def _spec(file: Path | None, model: str | None, given: dict[str, Any]) -> ModelSpec:
    """The settings of a file and of options; another kind than the file's keeps no settings of that kind.

    Raises:
        InputError: the file cannot be read, or a value is impossible.
    """
    from lake.errors import InputError
    from ml.registry.document import read_json
    from ml.spec import ModelSpec

    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = read_json(file.read_bytes(), str(file))
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error.strerror}.") from None
        if not isinstance(values, dict):
            raise InputError(f"{file} holds no settings of a model.")
    if model is not None and model != values.get("kind", model):
        raise InputError(f"{file} holds the settings of a {values['kind']}, and --model {model} was given: leave one "
                         "of them out.")
    return ModelSpec.of(values | ({"kind": model} if model else {}) | given)


def _setting(word: str) -> tuple[str, Any]:
    """A setting given as path=value; the value is JSON where it can be read so, else text.

    Raises:
        SettingsError: it is not of that form.
    """
    import json

    from lake.errors import SettingsError

    path, given, value = word.partition("=")
    if not given or not path:
        raise SettingsError(f"--set {word!r:.80}: give it as path=value, such as training.learning_rate=1e-3.")
    try:
        return path, json.loads(value)
    except ValueError:
        return path, value


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _name(asked: Selection, spec: ModelSpec) -> str:
    """As in ``oxides-band-gap-mpeu``."""
    import re

    from ml.data import target_of

    words = [*([asked.subset] if asked.subset else asked.sources), target_of(asked.target).label, spec.kind]
    return re.sub(r"[^a-z0-9_]+", "-", "-".join(words).lower()).strip("-")[:64]
