"""What `matlake complexity` does: measures on stdout, progress, comparisons and reasons on stderr."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from analytics.queries import run_query
from flows.commands.complexity import STUDIES
from flows.terminal import emit, err
from flows.training import described, progress_bar
from lake.errors import SettingsError
from lake.store.lake import Lake
from ml.complexity.counts import Coefficients

if TYPE_CHECKING:
    from ml.data.dataset import Dataset

SHOWN = ("model_id", "variant", "kind", "n_parameters", "n_additive", "n_linear", "n_nonlinear", "complexity", "n",
         "mae", "rmse", "rmsle", "train_mae", "unit", "comparison", "on_front", "apart")
FOREST_NETWORK, SISSO_NETWORK = STUDIES
TARGET = "band_gap_ev"


@dataclass(frozen=True)
class Asked:
    """What was asked of `matlake complexity`, option by option."""

    models: tuple[str, ...] = ()
    a: float = 1.0
    b: float = 1.0
    c: float = 1.0
    study: str | None = None
    match: bool = False
    subset: str | None = None
    where: str | None = None
    sources: tuple[str, ...] = ()
    target: str | None = None
    kinds: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    steps: int | None = None
    tolerance: float = 0.1
    table: str | None = None
    group: str | None = None
    seed: int = 0

    @property
    def coefficients(self) -> Coefficients:
        """a, b, c."""
        return Coefficients(self.a, self.b, self.c)

    @property
    def has_rows(self) -> bool:
        """Whether rows to train on are named."""
        return bool(self.subset or self.where or self.sources)

    @property
    def trains(self) -> bool:
        """Whether models are to be trained on rows of the lake."""
        return self.study == FOREST_NETWORK or (self.match and self.has_rows)


def check(asked: Asked) -> None:
    """Refuse what does not go together before anything is done.

    Raises:
        SettingsError: an option that means nothing here, or an unknown study.
        InputError: a, b or c is no cost.
    """
    if asked.study is not None and asked.study not in STUDIES:
        raise SettingsError(f"There is no study {asked.study!r:.80}; one of {', '.join(STUDIES)} is needed.")
    _ = asked.coefficients
    if not 0 <= asked.tolerance < 1:
        raise SettingsError(f"--tolerance {asked.tolerance:g}: a share from 0 to below 1 is needed, such as 0.1.")
    if asked.models and (asked.study or asked.has_rows):
        raise SettingsError("Models were named, and a study or rows to train on as well: leave one of them out.")
    if asked.study and asked.match:
        raise SettingsError("--match is part of every study: leave it out.")
    of_rows = {"--subset": asked.subset, "--where": asked.where, "--source": asked.sources}
    of_training = {"--target": asked.target, "--sizes": asked.sizes, "--steps": asked.steps}
    of_table = {"--table": asked.table, "--group": asked.group}
    if asked.study == SISSO_NETWORK:
        _refuse(of_rows | {"--kinds": asked.kinds}, f"--study {SISSO_NETWORK} takes a table (--table)")
        return
    _refuse(of_table, f"they belong to --study {SISSO_NETWORK}")
    if not asked.trains:
        needs = "rows to train on need --match or a study" if not asked.match else "training needs rows"
        _refuse(of_rows | of_training | {"--kinds": asked.kinds},
                f"{needs}: --source, --subset or --where, with --match or --study {FOREST_NETWORK}")


def run(lake: Lake, asked: Asked, format_: str, output: Path | None) -> None:
    """Measure, and show what came out.

    Raises:
        InputError: no such model, or nothing to learn from.
    """
    if asked.study == SISSO_NETWORK:
        shown = _sisso_network(lake, asked)
    elif asked.trains:
        shown = _classes(lake, asked)
    else:
        shown = _measured(lake, asked)
    lake.refresh()
    emit(shown.select(SHOWN) if format_ == "table" and output is None else shown, format_, output)


def _measured(lake: Lake, asked: Asked) -> pa.Table:
    from ml.complexity.match import compare_models
    from ml.complexity.rows import measure_models

    rows = measure_models(lake, asked.models, asked.coefficients)
    if not rows.num_rows:
        _say("There are no models yet: matlake train makes one.")
    if asked.match and rows.num_rows:
        comparisons = compare_models(lake, rows, asked.tolerance)
        if not comparisons.num_rows:
            _say("No two models of different kinds were judged on the same rows. With --source, --subset or --where "
                 "models are trained to be compared.")
        _tell(comparisons)
    return _queried(lake, rows, "none")


def _classes(lake: Lake, asked: Asked) -> pa.Table:
    """A study of classes: the paper's, or on the rows that were asked for."""
    from ml.complexity.class_study import SIZES, ClassStudy, run_class_study
    from ml.complexity.forest_network import SOURCE, forest_network_reasons, forest_network_study
    from ml.data import Selection, dataset

    target = asked.target or TARGET
    sources = asked.sources or ((SOURCE,) if not asked.has_rows else ())
    rows = dataset(lake, Selection(target, subset=asked.subset, where=asked.where, sources=sources))
    _say(*described(rows))
    given: dict[str, Any] = {
        "sizes": asked.sizes or SIZES, "coefficients": asked.coefficients, "tolerance": asked.tolerance,
        "seed": asked.seed, "training": {} if asked.steps is None else {"steps": asked.steps},
    }
    reasons = None
    if asked.study:
        study = forest_network_study(**given | ({"kinds": asked.kinds} if asked.kinds else {}))
        # The paper's errors are of band gaps.
        reasons = forest_network_reasons(rows) if target == TARGET else None
        study = study if target == TARGET else replace(study, paper={})
    else:
        study = ClassStudy(f"match-{_slug(rows)}", asked.kinds or ("forest", "mlp"), **given)
    with progress_bar(rows.target.unit) as progress:
        found = run_class_study(lake, rows, study, reasons=reasons, progress=progress, note=_say)
    n_others = found.complexities.num_rows - found.n_trained
    _say(f"{found.n_trained} models were trained, {n_others} were there or failed.")
    _tell(found.comparisons)
    return _queried(lake, found.complexities, study.name)


def _sisso_network(lake: Lake, asked: Asked) -> pa.Table:
    from ml.complexity.sisso_network import SissoStudy, run_sisso_study

    given: dict[str, Any] = {"table": asked.table, "group": asked.group, "target": asked.target,
                             "sizes": asked.sizes or None, "steps": asked.steps}
    study = SissoStudy(coefficients=asked.coefficients, tolerance=asked.tolerance, seed=asked.seed,
                       **{name: value for name, value in given.items() if value is not None})
    found = run_sisso_study(lake, study, note=_say)
    _tell(found.comparisons)
    return _queried(lake, found.complexities, study.name)


def _queried(lake: Lake, rows: pa.Table, study: str) -> pa.Table:
    """The rows beside their errors, as `matlake sql complexity` shows them."""
    found = run_query(lake, "complexity", {"study": study, "variants": "true"})
    ids = pc.unique(rows["model_id"])
    return found.filter(pc.is_in(found["model_id"], value_set=pa.array(ids.to_pylist(), pa.string())))


def _tell(comparisons: pa.Table) -> None:
    said: set[str] = set()
    for row in comparisons.to_pylist():
        unit = f" {row['unit']}" if row["unit"] and row["measure"] != "rmsle" else ""
        interval = "" if row["difference_low"] is None else (
            f" [{row['difference_low']:+.4f}, {row['difference_high']:+.4f}]")
        _say(f"{row['pairing']}: {row['left_id']} ({row['left_parameters']:,}) {row['left_error']:.4f}, "
             f"{row['right_id']} ({row['right_parameters']:,}) {row['right_error']:.4f}{unit} {row['measure']}; "
             f"difference {row['difference']:+.4f}{interval} on {row['n']:,} rows")
        if row["pairing"] != "best":
            continue
        for reason in row["reasons"] or ():
            if reason not in said:
                said.add(reason)
                _say(f"  {reason}")
    if comparisons.num_rows:
        _say(f"matlake sql model_comparisons --param comparison={comparisons['comparison'][0].as_py()} shows them.")


def _slug(rows: Dataset) -> str:
    import re

    words = [rows.selection.subset or "-".join(rows.sources), rows.target.label]
    return re.sub(r"[^a-z0-9_]+", "-", "-".join(words).lower()).strip("-")[:32]


def _refuse(options: dict[str, Any], why: str) -> None:
    given = [name for name, value in options.items() if value not in (None, ())]
    if given:
        raise SettingsError(f"{' and '.join(given)} cannot be used here: {why}.")


def _say(*lines: str) -> None:
    for line in lines:
        err.print(line, soft_wrap=True, markup=False)
