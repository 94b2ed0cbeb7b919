"""Similarity and subsets in the report: right about a lake, whatever it holds, and small."""

from __future__ import annotations

import base64
import html
import json
import re
from pathlib import Path

import numpy as np
import pytest
from report_lakes import calculation, fill, settings
from spectral_lakes import put, series
from test_report import report_of, words
from test_report_similarity_parts import pixels

from analytics.convergence.convergence import convergence_of
from analytics.fingerprints.grid import REFERENCE
from analytics.report.ask import Asker
from analytics.report.compared import convergence_at
from analytics.report.convergence_page import convergence_page
from analytics.report.matrix import STEPS
from analytics.subsets.curate import curate
from analytics.subsets.recipe import Recipe
from lake.store.lake import Lake

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)></style></figure>'


def part(text: str, name: str) -> str:
    """The HTML of one section."""
    return text[text.index(f'<section id="{name}"'):].partition("</section>")[0]


def data(text: str) -> list[dict[str, object]]:
    """What the page's script reads, in the order of the page."""
    return [json.loads(found) for found in re.findall(r'<script type="application/json">(.*?)</script>', text)]


def test_without_fingerprints_the_section_says_which_command_makes_them(lake: Lake, tmp_path: Path) -> None:
    shown = words(part(report_of(lake, tmp_path), "similarity"))
    assert "no fingerprints of densities of states in this lake yet" in shown
    assert "matlake fingerprint" in shown


def test_without_subsets_the_section_says_which_command_makes_them(lake: Lake, tmp_path: Path) -> None:
    assert "matlake curate" in words(part(report_of(lake, tmp_path), "subsets"))


def test_the_matrix_and_the_pairs_are_those_of_the_lake(lake: Lake, tmp_path: Path) -> None:
    put(lake, series("a", 32))
    text = part(report_of(lake, tmp_path), "similarity")
    found = convergence_of(lake, "BN_225", REFERENCE.grid_id)
    matrix, *pairs = data(text)
    assert matrix["ids"] == list(found.ids)
    address = re.search(r"data:image/png;base64,([^\"]+)", text)
    assert address is not None
    shown = pixels(base64.b64decode(address[1])) / STEPS
    lower, upper = np.tril_indices(32, -1), np.triu_indices(32, 1)
    assert np.abs(shown[lower] - found.similarity[lower]).max() <= 1 / STEPS
    assert found.aligned is not None
    assert np.abs(shown[upper] - found.aligned[upper]).max() <= 1 / STEPS
    assert [len(p) for p in pairs if isinstance(p, list)] == [REFERENCE.n_counts + 1]
    coefficients = [float(c) for c in re.findall(r"<dt>coefficient</dt><dd>([\d.]+)</dd>", text)]
    sums = [[int(n.replace(",", "")) for n in pair] for pair in re.findall(r"<dd>([\d,]+) / ([\d,]+)</dd>", text)]
    assert len(coefficients) == len(sums) >= 3
    for coefficient, (overlap, union) in zip(coefficients, sums, strict=True):
        assert coefficient == pytest.approx(overlap / union, abs=6e-4)
    assert found.similarity[lower].min() == pytest.approx(min(coefficients), abs=6e-4)


def test_the_numbers_are_those_of_the_convergence(lake: Lake, tmp_path: Path) -> None:
    put(lake, series("a", 32))
    shown = words(part(report_of(lake, tmp_path), "similarity"))
    found = convergence_of(lake, "BN_225", REFERENCE.grid_id)
    for one in found.differences:
        assert f"{one.similarity:.2f}" in shown
        assert f"{one.n_pairs:,} pair" in shown
    assert [e.setting for e in found.effects if e.distance is not None]
    for effect in found.effects:
        assert effect.distance is None or f"{effect.distance:.3f}" in shown
    assert "PBE" in shown
    assert "12×12×4" in shown


def test_one_comparable_calculation_has_no_matrix(lake: Lake, tmp_path: Path) -> None:
    put(lake, series("a", 1))
    shown = part(report_of(lake, tmp_path), "similarity")
    assert "No material has two comparable densities of states" in shown
    assert "<image" not in shown


def test_all_set_aside_are_counted_by_reason(lake: Lake, tmp_path: Path) -> None:
    rows = series("a", 5)
    put(lake, rows, {row["calculation_id"]: "window_not_covered" if i else "no_dos" for i, row in enumerate(rows)})
    text = part(report_of(lake, tmp_path), "similarity")
    assert "<image" not in text
    assert re.search(r"window not covered\s*4", words(text))
    assert re.search(r"no dos\s*1", words(text))


def test_many_calculations_stay_a_small_page(lake: Lake, tmp_path: Path) -> None:
    rows = series("a", 320)
    put(lake, rows)
    text = report_of(lake, tmp_path)
    assert len(text.encode()) < 600_000
    assert "320 calculations" in words(part(text, "similarity"))


def test_a_sample_is_shown_of_very_many_and_said(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.report.compared.MOST_CALCULATIONS", 20)
    put(lake, series("a", 64))
    text = part(report_of(lake, tmp_path), "similarity")
    assert "Of 64 calculations, 20 at equal distances in this order are shown" in words(text)
    assert len(data(text)[0]["ids"]) == 20  # type: ignore[arg-type]


def test_the_materials_with_most_calculations_come_first(lake: Lake, tmp_path: Path) -> None:
    rows = [r for n, e in ((4, "Li"), (9, "Na"), (2, "K"), (3, "Rb"), (1, "Cs")) for r in series(e.lower(), n, {e: 1})]
    put(lake, rows)
    text = part(report_of(lake, tmp_path), "similarity")
    assert re.findall(r"<summary><h3>(\w+)</h3>", text) == ["Na_225", "Li_225", "Rb_225"]
    assert re.search(r"<code>K_225</code>", text)
    assert "Cs_225" not in text


def test_heavy_materials_are_left_to_the_list(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics.report.sections.similarity.MOST_BYTES", 1)
    put(lake, [*series("a", 8), *series("b", 4, {"Na": 1})])
    text = part(report_of(lake, tmp_path), "similarity")
    assert re.findall(r"<summary><h3>(\w+)</h3>", text) == ["BN_225"]
    assert "<code>Na_225</code>" in text


def test_another_grid_is_shown_where_the_reference_has_nothing(lake: Lake, tmp_path: Path) -> None:
    import pyarrow as pa

    from lake.tables import TABLES

    row = {"calculation_id": "a/1", "grid_id": "dos-0123", "source": "a", "kind": "dos", "reason": "no_dos",
           "message": "none", "input_sha256": "x"}
    lake.upsert("fingerprints", pa.Table.from_pylist([row], schema=TABLES["fingerprints"].schema))
    assert "grid dos-0123" in words(part(report_of(lake, tmp_path), "similarity"))


def test_a_grid_of_another_definition_is_no_reason_to_have_no_report(lake: Lake, tmp_path: Path) -> None:
    import pyarrow as pa

    from lake.tables import TABLES

    put(lake, series("a", 4))
    for parameters, needle in (({"kind": "dos", "definition": 99}, "definition"), ({"kind": "composition"}, "grid")):
        grid = {"grid_id": REFERENCE.grid_id, "kind": parameters["kind"], "parameters_json": json.dumps(parameters),
                "n_counts": 1, "levels": 1}
        lake.upsert("grids", pa.Table.from_pylist([grid], schema=TABLES["grids"].schema))
        text = part(report_of(lake, tmp_path), "similarity")
        assert "<image" not in text
        assert re.search(rf'class="nothing">[^<]*{needle}', text)
        assert re.search(r"comparable\s*4", words(text))


def test_settings_from_outside_are_escaped(lake: Lake, tmp_path: Path) -> None:
    rows = [
        calculation("a", f"{HOSTILE}{i}", {"B": 1}, reduced_key=HOSTILE, cell_key=HOSTILE, xc_functional=HOSTILE,
                    basis_set=HOSTILE, settings_tier=HOSTILE, code=HOSTILE, k_grid=[4, 4, 4 + i], cutoff_ev=300.0)
        for i in range(3)
    ]
    put(lake, rows, {rows[2]["calculation_id"]: HOSTILE})
    curate(lake, Recipe("odd", where=("license is null or license <> '\"><script>alert(1)</script>'",)))
    text = report_of(lake, tmp_path)
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "alert(1)" in html.unescape(part(text, "similarity"))
    assert "alert(1)" in html.unescape(part(text, "subsets"))
    assert data(part(text, "similarity"))[0]["ids"] == [f"a/{HOSTILE}0", f"a/{HOSTILE}1"]


def test_secrets_are_blotted_out_of_figures_and_their_data(tmp_path: Path) -> None:
    secret = "sk-very-secret-key"
    lake = Lake.open(str(tmp_path / "lake"), settings(mp_api_key=secret))
    put(lake, [
        calculation("a", f"{i}-{secret}", {"B": 1}, xc_functional=secret, settings_tier=secret, reduced_key=secret,
                    k_grid=[4, 4, 4]) for i in range(2)
    ])
    found = convergence_of(lake, secret, REFERENCE.grid_id)
    for text in (report_of(lake, tmp_path), convergence_page(lake, found)):
        assert secret not in text
        assert secret.upper() not in text
        assert "•••" in text


def test_all_parts_are_of_one_version(lake: Lake) -> None:
    put(lake, series("a", 4))
    with Asker.of(lake) as asker:
        put(lake, series("a", 8))
        found, n_comparable = convergence_at(asker.connection, "BN_225", REFERENCE)
    assert len(found.ids) == n_comparable == 4


def test_what_is_not_written_down_is_left_open(lake: Lake, tmp_path: Path) -> None:
    unknown = dict.fromkeys(("xc_functional", "k_grid", "n_k_points", "basis_set", "cutoff_ev", "settings_tier"))
    put(lake, series("a", 3, **unknown))
    shown = words(part(report_of(lake, tmp_path), "similarity"))
    assert "number of k-points: unknown for all" in shown
    assert "number of basis functions: unknown for all" in shown


def test_a_recipe_is_a_funnel_with_its_numbers(lake: Lake, tmp_path: Path) -> None:
    rows = [
        calculation(s, f"{i}", {"Na": 1, "Cl": i + 1}, xc_functional="lda" if i % 4 == 3 else "pbe",
                    formation_energy_functional=None, band_gap_functional=None, band_gap_ev=None if i < 3 else 1.0)
        for s in ("aflow", "mp") for i in range(12)
    ]
    fill(lake, "calculations", rows)
    subset = curate(lake, Recipe("pbe-with-gap", functional="pbe", complete=("band_gap_ev",)))
    text = part(report_of(lake, tmp_path), "subsets")
    shown = words(text)
    assert subset.sentence in shown
    for step in subset.funnel["steps"]:
        assert html.escape(step["sentence"]) in text
        assert f"{step['rows']:,}" in shown
    assert subset.n_members == 12
    assert "12 members of 6 materials" in shown
    assert subset.members_sha256 in text
    assert f"calculations@{lake.versions()['calculations']}" in text
    shares = [float(share) for share in re.findall(r'style="width:([\d.]+)%" title="AFLOW', text)]
    assert shares[0] == 50.0
    assert shares[-1] == 25.0
    curate(lake, Recipe("pbe-with-gap", functional="pbe"))
    assert "version 2" in words(part(report_of(lake, tmp_path), "subsets"))


def test_one_material_as_a_page_of_its_own(lake: Lake) -> None:
    rows = series("a", 12)
    put(lake, rows, {rows[5]["calculation_id"]: "no_reference_level"})
    text = convergence_page(lake, convergence_of(lake, "BN_225", REFERENCE.grid_id))
    assert text.startswith("<!DOCTYPE html>")
    assert "11 calculations" in words(text)
    assert "no reference level" in words(text)
    assert len(data(text)) >= 3
    assert not re.search(r"url\(|@import|srcset|https?://(?!www\.w3\.org)", text)


def test_a_page_on_one_calculation(lake: Lake) -> None:
    put(lake, series("a", 1))
    text = convergence_page(lake, convergence_of(lake, "BN_225", REFERENCE.grid_id))
    assert "With one calculation there is nothing to compare." in text
    assert "1 calculation " in words(text)
