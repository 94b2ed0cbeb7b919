"""Models in the report: right about a lake, whatever it holds, and small."""

from __future__ import annotations

import base64
import html
import json
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from model_lakes import OFFSET, TARGET, calibrated, curve, model, promotion, put, put_all
from report_lakes import NOW, calculation, fill, settings
from test_report import report_of, words
from test_report_similarity import part
from test_report_similarity_parts import pixels

from analytics.queries import run_query
from analytics.report.ask import Asker
from analytics.report.model_card import card
from analytics.report.page import environment_of
from analytics.report.sections import models, retraining, transfer
from analytics.report.sections.contents import sources_of
from lake.errors import InputError
from lake.store.lake import Lake
from lake.tables import TABLES

HOSTILE = '"><script>alert(1)</script>|[x](http://x)\n# taken `'


@pytest.fixture(scope="module")
def full_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return put_all(Lake.open(str(tmp_path_factory.mktemp("models") / "lake"), settings()))


@pytest.fixture(scope="module")
def full(full_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> str:
    return report_of(full_lake, tmp_path_factory.mktemp("page"))


def section_of(lake: Lake, name: str) -> str:
    """The HTML of one section alone."""
    with Asker.of(lake) as asker:
        sources = sources_of(asker.rows("sources"))
        made = {"transfer": transfer, "models": models, "retraining": retraining}[name].section(asker, sources)
        if made.nothing:
            return made.nothing
        return environment_of(sources).get_template(f"{name}.html.j2").render(s=made)


def test_without_models_each_section_says_which_command_makes_them(lake: Lake) -> None:
    commands = {"transfer": "matlake transfer --sources aflow,mp", "models": "matlake train --subset NAME",
                "retraining": "matlake retrain NAME"}
    for name, command in commands.items():
        said = section_of(lake, name)
        assert command in said
        assert "<" not in said


def test_the_page_is_whole(full: str) -> None:
    assert len(full.encode()) < 900_000


def test_the_matrix_holds_the_errors_of_the_evaluations(full_lake: Lake, full: str) -> None:
    table = re.search(r'<table class="matrix transfer".*?</table>', part(full, "transfer"), re.DOTALL)
    assert table is not None
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", table[0], re.DOTALL)
    found = run_query(full_lake, "select * from transfer_matrix where newest and target = 'band_gap_ev' order by place")
    by_cell = {(r["model_id"], r["evaluated_on"]): r for r in found.to_pylist()}
    ids = list(dict.fromkeys(model_id for model_id, _ in by_cell))
    assert len(rows) == len(ids) == 5
    for model_id, row in zip(ids, rows, strict=True):
        cells = re.findall(r'<td class="cell ?([^"]*)"[^>]*>(.*?)</td>', row, re.DOTALL)
        for on, (kind, cell) in zip(("aflow", "mp", "*"), cells, strict=True):
            one = by_cell[model_id, on]
            shown = words(cell).replace("−", "-")
            assert f"{one['mae']:.3f}" in shown
            assert f"[{one['mae_low']:.3f}, {one['mae_high']:.3f}]" in shown
            assert f"RMSE {one['rmse']:.3f}" in shown
            assert f"R² {one['r2']:.2f}" in shown
            assert f"{abs(one['bias']):.3f}" in shown.partition("bias")[2]
            own = one["mae_to_own"] == 1
            assert (kind == "own") == own
            if one["mae_to_own"] is not None and not own:
                assert kind.split()[0] == ("plus" if one["mae_to_own"] > 1 else "minus")
                assert f"{one['mae_to_own']:.2f} × own" in shown


def test_the_answer_is_the_paired_comparison(full_lake: Lake, full: str) -> None:
    shown = words(part(full, "transfer"))
    assert "Does a model of all databases do at least as well" in shown
    rows = run_query(full_lake, "transfer_against_own", {"transfer": f"{TARGET}.1"}).to_pylist()
    combined = [row for row in rows if "+" in row["trained_on"]]
    assert len(combined) == 6
    for row in combined:
        change = f"{row['difference']:+.3f}, 95 % interval {row['difference_low']:+.3f} … {row['difference_high']:+.3f}"
        assert change.replace("-", "−") in shown
    # The noise put in: all roads are better than AFLOW's own model and worse than MP's.
    assert {row["evaluated_on"] for row in combined if row["difference_high"] < 0} == {"aflow"}
    assert "no, it is worse on MP" in shown


@pytest.mark.parametrize(
    ("own", "combined", "said"),
    [
        (0.10, 0.02, "yes, it is better on each"), (0.02, 0.10, "no, it is worse on A"),
        (0.0500, 0.0501, "as far as can be told"),
    ],
)
def test_the_answer_in_words(lake: Lake, own: float, combined: float, said: str) -> None:
    random = np.random.default_rng(0)
    rows = [
        {"model_id": model_id, "calculation_id": f"a/{i}", "source": "a", "material_key": str(i), "split": "test",
         "actual": 1.0, "predicted": 1.0 + error + 0.01 * float(random.normal())}
        for model_id, error in (("a.1", own), ("ab.1", combined)) for i in range(40)
    ]
    put(lake, "predictions", pa.Table.from_pylist(rows, schema=TABLES["predictions"].schema))
    put(lake, "transfers", [
        {"transfer_id": "e.1", "target": TARGET, "road": road, "trained_on": on, "model_id": model_id,
         "sources": ["a", "b"], "settings_json": "{}", "created_at": NOW}
        for road, on, model_id in (("own", "a", "a.1"), ("combined", "a+b", "ab.1"))
    ])
    fill(lake, "calculations", [calculation("a", "1", {"Na": 1})])
    shown = words(section_of(lake, "transfer"))
    assert said.lower() in shown.lower()


def test_parity_plots_show_every_test_row_and_the_bias(full_lake: Lake, full: str) -> None:
    text = part(full, "transfer")
    svgs = [s for s in re.findall(r"<svg.*?</svg>", text, re.DOTALL) if "Predicted against actual" in s]
    assert len(svgs) == 2 * 5 * 2
    experiment = svgs[10:]
    dots = [sum(path.count("h0") for path in re.findall(r'd="([^"]*)" class="dots', svg)) for svg in experiment]
    expected = run_query(full_lake, "transfer_parity", {"transfer": f"{TARGET}.1"}).to_pylist()
    ids = list(dict.fromkeys(row["model_id"] for row in expected))
    # Rows that share a place are drawn once.
    assert sorted(dots) == sorted(
        sum(r["model_id"] == m and r["evaluated_on"] == on for r in expected) for m in ids for on in ("aflow", "mp"))
    assert 'class="dots common"' in text
    assert 'class="dots alone"' in text
    told = [re.search(r"mean error \(bias\) ([+−][\d.]+) eV/atom", svg) for svg in experiment]
    biases = [float(found[1].replace("−", "-")) if found else 0.0 for found in told]
    # Two own models, each on the other's database, are off by the offset between them; the others are not.
    assert sorted(biases)[0] == pytest.approx(OFFSET, abs=0.05)
    assert sorted(biases)[-1] == pytest.approx(-OFFSET, abs=0.08)
    assert all(abs(bias) < 0.05 for bias in sorted(biases)[1:-1])


def test_many_predictions_become_pictures_of_bounded_size(lake: Lake) -> None:
    random = np.random.default_rng(1)
    n = 40_000
    actual = random.normal(-1.0, 1.0, n)
    for name in ("a.1", "b.1"):
        table = pa.table({
            "model_id": [name] * n, "calculation_id": np.char.add("a/", np.arange(n).astype(str)), "source": ["a"] * n,
            "material_key": np.arange(n).astype(str), "split": ["test"] * n, "actual": actual,
            "predicted": actual + 0.1 * random.normal(size=n), "uncertainty": pa.nulls(n, pa.float64()),
            "outside": pa.nulls(n, pa.string()),
        })
        put(lake, "predictions", table)
    put(lake, "transfers", [
        {"transfer_id": "e.1", "target": TARGET, "road": "own", "trained_on": on, "model_id": f"{on}.1",
         "sources": ["a", "b"], "settings_json": "{}", "created_at": NOW} for on in "ab"
    ])
    fill(lake, "calculations", [calculation("a", "1", {"Na": 1})])
    text = section_of(lake, "transfer")
    assert len(text.encode()) < 100_000
    images = [pixels(base64.b64decode(one)) for one in re.findall(r"base64,([^\"]+)", text)]
    assert len(images) == 2
    for image in images:
        rows, columns = np.nonzero(image)
        # Predicted grows with actual: up is up.
        assert np.corrcoef(columns, -rows)[0, 1] > 0.9


def test_a_diverged_model_does_not_take_the_axes(lake: Lake) -> None:
    rows = [
        {"model_id": "a.1", "calculation_id": f"a/{i}", "source": "a", "material_key": str(i), "split": "test",
         "actual": float(i % 7), "predicted": 1e30 if i % 3 else float("nan")} for i in range(30)
    ]
    put(lake, "predictions", pa.Table.from_pylist(rows, schema=TABLES["predictions"].schema))
    put(lake, "transfers", [{"transfer_id": "e.1", "target": TARGET, "road": "own", "trained_on": "a",
                             "model_id": "a.1", "sources": ["a"], "settings_json": "{}", "created_at": NOW}])
    fill(lake, "calculations", [calculation("a", "1", {"Na": 1})])
    text = section_of(lake, "transfer")
    assert "20 rows · 20 at the edge" in words(text)
    assert "e+" not in text
    assert "nan" not in text.lower().replace("finance", "")


def test_elements_slices_and_curves_are_those_of_the_tables(full_lake: Lake, full: str) -> None:
    text = part(full, "transfer")
    cells = dict(re.findall(r'title="(\w+): MAE ([\d.]+) meV/atom', text))
    rows = run_query(
        full_lake, "select slice, n, mae from evaluations where slice_kind = 'element' and split = 'test' "
        f"and model_id = '{TARGET[:3]}-corrected-aflow-mp.1' and evaluated_on = 'mp'").to_pylist()
    enough = {row["slice"]: row["mae"] for row in rows if row["n"] >= 5}
    assert set(enough) <= set(cells)
    for symbol, mae in enough.items():
        assert float(cells[symbol]) == pytest.approx(1000 * mae, abs=0.6)
    assert re.search(r'class="element hatched"[^>]*title="\w+: [1-4] test rows?, too few"', text)
    common = run_query(
        full_lake, "select mae from evaluations where slice_kind = 'common' and slice = 'in common' and split = 'test' "
        "and evaluated_on = 'mp' and starts_with(model_id, 'for-')").to_pylist()
    shown = words(text)
    assert len(common) == 5
    assert all(f"{row['mae']:.3f}" in shown for row in common)
    best = re.findall(r"best at step ([\d,]+), validation MAE ([\d.]+) eV/atom", text)
    assert len(best) == 5
    assert {step for step, _ in best} == {"16,000"}
    assert min(float(value) for _, value in best) == pytest.approx(0.06 * (1 + 1.5 / 16), abs=1e-3)


def test_only_the_newest_experiment_of_a_target_is_shown(lake: Lake) -> None:
    put(lake, "transfers", [
        {"transfer_id": f"{TARGET}.{number}", "target": TARGET, "road": "own", "trained_on": "a",
         "model_id": f"a.{number}", "sources": ["a"], "settings_json": "{}", "created_at": NOW + timedelta(number)}
        for number in (1, 2)
    ])
    text = section_of(lake, "transfer")
    assert f"experiment {TARGET}.2" in words(text)
    assert "1 earlier of this target not shown" in words(text)
    assert text.count('class="matrix transfer"') == 1


def test_champions_have_the_first_card(full: str) -> None:
    text = part(full, "models")
    assert re.findall(r"<summary><h3>([^<]+)</h3>", text)[0] == "mp-fe.2"
    shown = words(text)
    assert "Cards of 4 of 12 models" in shown
    assert "mp-fe.2 champion" in shown
    assert "90.0 % should lie within the stated interval: as trained 66.0 %, calibrated 90.0 %" in shown
    assert "Of the 60 test rows" in shown
    assert "multiplied by 1.80, and 0.004 eV/atom are added in quadrature" in shown


def test_hundreds_of_models_stay_a_small_page(lake: Lake) -> None:
    fill(lake, "calculations", [calculation("mp", "1", {"Na": 1})])
    put(lake, "models", [model(f"many{i:03}.1", created_at=NOW + timedelta(minutes=i)) for i in range(400)])
    put(lake, "learning_curves", curve("many399.1", 0.1, 10**6, 5000))
    put(lake, "promotions", [promotion(f"many{i:03}", d, challenger_id=f"many{i:03}.1")
                             for i in range(300) for d in range(1, 21)])
    text = section_of(lake, "models") + section_of(lake, "retraining")
    assert len(text.encode()) < 250_000
    shown = words(text)
    assert "385 more models are not shown: matlake sql trained_models lists all." in shown
    assert "294 more names are not shown" in shown
    assert "8 earlier decisions are not shown" in shown


def test_retraining_tells_champion_challenger_history_and_reason(lake: Lake) -> None:
    put(lake, "promotions", [
        promotion("fe", 1, champion_id=None, challenger_id="fe.1", reason="It is the first champion.", n=None,
                  champion_mae=None, challenger_mae=None, difference=None, difference_low=None, difference_high=None),
        promotion("fe", 2, promoted=False, reason="The challenger is worse: 0.09 against 0.06.", difference=0.03),
    ])
    shown = words(section_of(lake, "retraining"))
    assert "Champion: fe.1 . The newest challenger, fe.2 , was not promoted" in shown
    assert shown.index("The challenger is worse") < shown.index("It is the first champion.")
    assert "champion kept" in shown
    assert "+0.030 −0.011 … −0.001" in shown


def test_what_comes_from_outside_is_escaped_and_secrets_are_blotted(tmp_path: Path) -> None:
    secret = "sk-very'secret&key"
    lake = Lake.open(str(tmp_path / "lake"), settings(mp_api_key=secret))
    row = model("bad.1", sources=[HOSTILE], licenses=[HOSTILE], where_sql=f"x = '{HOSTILE}{secret}'", subset=None,
                device=HOSTILE, code_version=HOSTILE, target_reference=HOSTILE, settings_json=json.dumps({HOSTILE: 1}),
                library_versions_json="no json", calibration_json='{"levels": [2], "coverage": "x"}',
                created_at=NOW + timedelta(99))
    put(lake, "models", [row])
    put(lake, "promotions", [promotion(HOSTILE, 1, reason=HOSTILE + secret, challenger_id="bad.1", unit=HOSTILE)])
    put(lake, "transfers", [
        {"transfer_id": HOSTILE, "target": HOSTILE, "road": HOSTILE, "trained_on": HOSTILE, "model_id": "bad.1",
         "sources": [HOSTILE], "settings_json": "{}", "created_at": NOW}])
    text = "".join(section_of(lake, name) for name in ("transfer", "models", "retraining"))
    assert "<script>alert" not in text
    assert html.escape("<script>alert(1)") in text
    assert "sk-very" not in html.unescape(text)
    assert "•••" in text
    markdown = card(lake, "bad.1")
    assert secret not in markdown
    assert not re.search(r"^# taken", markdown, re.MULTILINE)
    assert "<script>" not in markdown.replace("\\<", "")
    assert "](http" not in markdown.replace("\\]", "")


def test_the_card_in_markdown_says_what_repeats_the_model_and_what_limits_it(full_lake: Lake) -> None:
    text = card(full_lake, "mp-fe.2")
    assert text.startswith("# mp-fe.2\n")
    for heading in ("Data", "Licence", "To be cited", "Errors (eV/atom)", "Limits", "Use", "Training", "Settings"):
        assert f"\n## {heading}\n" in text
    for told in ("subset pbe-only@3", "calculations@1, dos (empty)", "by reduced_key, seed 0", "d" * 64, "e" * 64,
                 "CC-BY-4.0", "every row's licence lets it be passed on", "matlake predict mp-fe.2 --on pbe-only",
                 r"model.channels**: 64", "torch 2.13", "matlake 0.4.0", "84,864 × 4 members", "refer to elements"):
        assert told in text, told
    assert re.search(r"\| MP \| test \| \d+ \| \d\.\d{3} \|", text)
    assert card(full_lake, "mp-fe") == text


def test_a_card_tells_unseen_and_rare_elements(full_lake: Lake) -> None:
    text = card(full_lake, f"{TARGET[:3]}-own-aflow.1")
    trained = {row["element"]: row["n_train"] for row in run_query(
        full_lake, "model_elements", {"model": f"{TARGET[:3]}-own-aflow.1"}).to_pylist()}
    unseen = re.search(r"Not in its training rows[^:]*: (.*)", text)
    few = re.search(r"In fewer than 20 training rows: (.*)\.", text)
    assert unseen is not None
    assert few is not None
    assert "Xe" in unseen[1]
    assert "Na" not in re.findall(r"[A-Z][a-z]?", unseen[1])
    assert {s: int(n) for s, n in re.findall(r"([A-Z][a-z]?) \((\d+)\)", few[1])} == {
        symbol: n for symbol, n in trained.items() if 0 < n < 20}
    assert "On MP, which it has not learned from, it errs by" in text


def test_a_model_from_elsewhere_has_a_card(lake: Lake) -> None:
    metrics = {"test": {"n": 40, "mae": 0.0312, "rmse": 0.05, "bias": 0.001, "r2": 0.98}, "by_source": "?"}
    put(lake, "models", [model(
        "from.1", table_versions=[], metrics_json=json.dumps(metrics), redistributable=False, sources=["oqmd_x"],
        settings_json=json.dumps({"settings": {"model": {"elements": list(range(1, 90))}}}), steps=None,
        target_reference=None, calibration_json=calibrated())])
    text = card(lake, "from.1")
    assert "| 40 | 0.031 | – | 0.050 |" in text
    assert "comes from elsewhere" in text
    assert "not without asking" in text
    assert ": Th, Pa, U, Np" in text
    assert "compare them with none" in text
    assert "oqmd" in words(section_of(lake, "models"))


def test_a_card_of_no_model_is_refused(full_lake: Lake) -> None:
    with pytest.raises(InputError, match=r"no model 'nope'.*matlake models"):
        card(full_lake, "nope")


def test_every_figure_of_models_has_a_caption(full: str) -> None:
    for name in ("transfer", "models", "retraining"):
        for figure in re.findall(r"<figure.*?</figure>", part(full, name), re.DOTALL):
            caption = words(figure[figure.index("<figcaption>"):])
            assert re.search(r"n .+ filter .+ from \w+@\d+", caption), caption
