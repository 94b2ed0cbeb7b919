"""The report: complete, safe, and right about real and odd lakes."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from report_lakes import calculation, fill, reject, settings

from analytics.queries import run_query
from analytics.report import write_report
from lake.errors import InputError
from lake.ingest.run import ingest
from lake.store.lake import Lake

SECTIONS = (
    "contents", "overlap", "energies", "offsets", "element_offsets", "similarity", "subsets", "transfer",
    "models", "retraining", "search", "expressivity", "formulas", "complexity", "duplicates", "coverage", "quality",
    "about",
)
DATA = Path(__file__).parents[1] / "data" / "servers"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """What is on a page: ids, tags that stay open, addresses, texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: dict[str, int] = {}
        self.handlers: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "action", "data"):
                self.addresses.append(value or "")
            if tag == "script" and (name, value) == ("type", "application/json"):
                self.tags["script"] -= 1
            if name.startswith("on"):
                self.handlers.append(name)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def report_of(lake: Lake, tmp_path: Path) -> str:
    text = write_report(lake, tmp_path / "out" / "report.html").read_text()
    page = Page(text)
    assert page.open == []
    assert set(SECTIONS) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert all(a.startswith("#") or a == "data:," or a.startswith("data:image/png;base64,") for a in page.addresses)
    assert page.handlers == []
    assert page.tags["script"] == 1
    assert not re.search(r"url\(|@import|srcset", text)
    assert len(text.encode()) < 3_000_000
    return text


def words(text: str) -> str:
    """The text of a page without tags, spaces made one."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


@pytest.fixture(scope="module")
def real_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake.open(str(tmp_path_factory.mktemp("real") / "small-lake"), settings())
    for source in ("aflow", "mp", "nomad"):
        ingest(lake, source, saved=[str(DATA / source)])
    return lake


def test_a_real_lake_is_shown_with_its_numbers(real_lake: Lake, tmp_path: Path) -> None:
    text = report_of(real_lake, tmp_path)
    shown = words(text)
    assert "<title>small-lake · matlake report</title>" in text
    for row in run_query(real_lake, "sources").to_pylist():
        assert f"calculations {row['n_rows']:,}" in shown
    for row in run_query(real_lake, "overlap").to_pylist():
        assert f"common {row['common_keys']:,}" in shown
    for row in run_query(real_lake, "energy_offsets").to_pylist():
        if row["n_materials"]:
            assert f"{row['median_ev_per_atom']:+.3f}".replace("-", "−") in shown
    assert "Comput. Mater. Sci. 58, 227 (2012)" in shown


def test_every_figure_says_versions_filter_and_n(real_lake: Lake, tmp_path: Path) -> None:
    text = report_of(real_lake, tmp_path)
    version = real_lake.versions()["calculations"]
    figures = re.findall(r"<figure>.*?</figure>", text, re.DOTALL)
    assert len(figures) >= 8
    for figure in figures:
        caption = words(figure[figure.index("<figcaption>"):])
        assert re.search(rf"n .+ filter .+ from (calculations@{version}|rejects@\d+)", caption), caption
    for drawn in re.findall(r"<svg[^>]*>", text):
        if 'aria-hidden="true"' in drawn:
            continue
        assert re.search(r'role="img"', drawn)
        assert re.search(r'aria-label="[^"]{20,}"', drawn)
    assert "formation energy (eV/atom)" in text


def test_unknown_functionals_are_told(tmp_path: Path, lake: Lake) -> None:
    unknown = {"formation_energy_functional": None, "band_gap_functional": None}
    fill(lake, "calculations", [
        calculation("a", "1", {"Na": 1, "Cl": 1}), calculation("b", "1", {"Na": 1, "Cl": 1}, **unknown),
    ])
    shown = words(report_of(lake, tmp_path))
    assert "Rows of unknown functional: a 0 of 1, b 1 of 1" in shown
    assert "2 rows, the functional of 1 of them unknown" in shown


def test_an_empty_lake_has_a_report(lake: Lake, tmp_path: Path) -> None:
    shown = words(report_of(lake, tmp_path))
    assert "This lake is empty" in shown
    assert "matlake ingest" in shown


def test_one_database_alone(lake: Lake, tmp_path: Path) -> None:
    fill(lake, "calculations", [calculation("a", "1", {"Na": 1, "Cl": 1})])
    shown = words(report_of(lake, tmp_path))
    assert "this lake holds only a" in shown
    assert "No two databases of this lake have a material in common" in shown
    assert "No database of this lake holds a material twice." in shown
    assert "No record was rejected." in shown


def test_nothing_in_common(lake: Lake, tmp_path: Path) -> None:
    fill(lake, "calculations", [calculation("a", "1", {"Na": 1, "Cl": 1}), calculation("b", "1", {"K": 1, "F": 1})])
    assert "No two databases have a material in common after the filter." in words(report_of(lake, tmp_path))


def test_only_rejects(lake: Lake, tmp_path: Path) -> None:
    fill(lake, "rejects", [reject("a", "lattice: no number")])
    shown = words(report_of(lake, tmp_path))
    assert "lattice: no number" in shown
    assert "bad value 1" in shown


def test_rows_without_any_value(lake: Lake, tmp_path: Path) -> None:
    nothing = dict.fromkeys((
        "formula_reduced", "formula_cell", "elements", "n_elements", "spacegroup_number", "cell_key", "reduced_key",
        "volume_angstrom3_per_atom", "formation_energy_ev_per_atom", "band_gap_ev", "formation_energy_functional",
        "band_gap_functional",
    ))
    fill(lake, "calculations", [calculation(s, str(i), {"H": 1}) | nothing for s in "ab" for i in range(3)])
    report_of(lake, tmp_path)


def test_what_comes_from_outside_is_escaped(lake: Lake, tmp_path: Path) -> None:
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(2)>\x00\u202e</style></figure>'
    fill(lake, "rejects", [reject("a", hostile, reason=hostile, calculation_id=hostile)])
    rows = [
        calculation(s, f"{hostile}{i}", {"Na": 1, "Cl": 1}, cell_key=hostile, reduced_key=hostile, license=hostile,
                    formation_energy_functional=None, formation_energy_reference=hostile, xc_functional=None,
                    spacegroup_source=1)
        for s in ("a", "b") for i in range(2)
    ]
    text = report_of(fill(lake, "calculations", rows), tmp_path)
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_secrets_are_blotted_out(tmp_path: Path) -> None:
    secret = "sk-very'secret&key"
    lake = Lake.open(str(tmp_path / "lake"), settings(mp_api_key=secret))
    fill(lake, "rejects", [reject("mp", f"the reply holds {secret} itself", reason=f"?key={quote(secret)}")])
    text = report_of(lake, tmp_path)
    assert "?key=•••" in text
    assert "very" not in words(text).split("the reply holds")[1][:40]
    assert "the reply holds ••• itself" in text


def test_where_the_lake_lies_stays_private(lake: Lake, tmp_path: Path) -> None:
    fill(lake, "calculations", [calculation("a", "1", {"Na": 1})])
    assert str(tmp_path) not in report_of(lake, tmp_path)


def test_many_databases_are_cut_with_the_count_said(lake: Lake, tmp_path: Path) -> None:
    rows = [
        calculation(f"database{s:02}", str(i), {"Na": 1, "Cl": 1}, spacegroup_number=i + 1)
        for s in range(14) for i in range(40)
    ]
    text = report_of(fill(lake, "calculations", rows), tmp_path)
    shown = words(text)
    assert "122 more rows are not shown: matlake sql overlap lists all." in shown
    assert "The 6 pairs with most common materials of 91." in shown
    assert len(text) < 600_000


def test_offsets_by_element_are_those_put_in(lake: Lake, tmp_path: Path) -> None:
    metals = ("Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba")
    rows = []
    for i, metal in enumerate(metals * 2):
        for anion, shift in (("O", -0.6), ("F", 0.2)):
            elements = {metal: 1 + i // len(metals), anion: 1}
            x = 1 / sum(elements.values())
            rows.append(calculation("a", f"{metal}{anion}{i}", elements))
            rows.append(calculation("b", f"{metal}{anion}{i}", elements,
                                    formation_energy_ev_per_atom=-1.0 + shift * x))
    text = report_of(fill(lake, "calculations", rows), tmp_path)
    cells = dict(re.findall(r'class="element[^"]*"[^>]*title="(\w+): ([+−\d.]+) eV/atom', text))
    assert float(cells["O"].replace("−", "-")) == pytest.approx(-0.6, abs=0.02)
    assert float(cells["F"]) == pytest.approx(0.2, abs=0.02)
    assert "elemental references explain" in words(text)


def test_databases_that_agree(lake: Lake, tmp_path: Path) -> None:
    rows = [calculation(s, str(i), {"Na": 1, "Cl": 1 + i}) for s in "ab" for i in range(9)]
    shown = words(report_of(fill(lake, "calculations", rows), tmp_path))
    assert "there is nothing to explain" in shown
    assert "elemental references explain" not in shown


def test_the_file_is_replaced_whole_or_not_at_all(lake: Lake, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")
    assert write_report(lake, target) == target
    assert target.read_text().startswith("<!DOCTYPE html>")
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["report.html"]
    with pytest.raises(InputError, match=r"cannot be written to .*taken.*--output FILE"):
        write_report(lake, target / "taken" / "report.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_report(lake, tmp_path / "folder")
