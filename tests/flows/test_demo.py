"""The demo: from saved replies to a report, in a folder that is its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import demo
from flows.demo_models import run_models
from lake.errors import InputError
from lake.ingest.run import ingest
from lake.settings import default_settings
from lake.store.lake import Lake
from ml.transfer import recipes

SAMPLES = Path(__file__).parents[1] / "data" / "servers"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few steps of training, and all in this process: how it is spread is tested elsewhere."""
    monkeypatch.setitem(recipes.QUICK_STEPS, "mpeu", 10)
    monkeypatch.setenv("MATLAKE_DASK_WORKERS", "1")
    default_settings.cache_clear()
    yield
    default_settings.cache_clear()


@pytest.mark.usefixtures("quick")
def test_the_demo_ingests_compares_and_reports(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    folder = tmp_path / "demo lake"
    demo.prepare(folder)
    assert demo.main(["--samples", str(SAMPLES), "--lake", str(folder)]) == 0
    said = capfd.readouterr().out
    for name in ("aflow", "mp", "nomad"):
        # Anew each time: nothing is unchanged in a fresh lake.
        assert f"{name}: " in said
    assert " 0 unchanged" in said
    assert "Overlap: materials" in said
    assert "trained on" in said
    assert "Try next" in said
    assert (folder / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_only_a_folder_of_its_own_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="was not made by the demo"):
        demo.prepare(folder)
    assert (folder / "thesis.tex").read_text() == "years of work"


def test_what_is_no_folder_stays(tmp_path: Path) -> None:
    target = tmp_path / "target"
    demo.prepare(target)
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "file").write_text("x")
    for name in ("link", "file"):
        with pytest.raises(InputError, match="is no folder"):
            demo.prepare(tmp_path / name)
    with pytest.raises(InputError, match="cannot be made"):
        demo.prepare(tmp_path / "file" / "below")
    assert (target / demo.MARKER).is_file()


def test_an_old_demo_is_removed_and_an_empty_folder_used(tmp_path: Path) -> None:
    demo.prepare(tmp_path / "lake")
    (tmp_path / "lake" / "old").write_text("old")
    demo.prepare(tmp_path / "lake")
    assert [p.name for p in (tmp_path / "lake").iterdir()] == [demo.MARKER]
    (tmp_path / "empty").mkdir()
    demo.prepare(tmp_path / "empty")
    assert (tmp_path / "empty" / demo.MARKER).is_file()


def test_missing_samples_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(SAMPLES / "aflow", tmp_path / "samples" / "aflow")
    assert demo.main(["--samples", str(tmp_path / "samples"), "--lake", str(tmp_path / "lake")]) == 1
    assert "has no folder mp, nomad" in capsys.readouterr().err
    assert not (tmp_path / "lake").exists()


@pytest.mark.usefixtures("quick")
def test_too_few_energies_for_a_transfer_end_no_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = Lake.open(str(tmp_path / "lake"))
    ingest(lake, "aflow", saved=[str(SAMPLES / "aflow")])
    run_models(lake, 7)
    assert "left out: The lake has no calculations of mp" in capsys.readouterr().out
