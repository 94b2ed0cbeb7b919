"""`matlake profile` as its users meet it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.cli import main

Run = Callable[..., tuple[int, str, str]]

QUICK = ("--model", "schnet", "--batch-size", "2,4", "--channels", "8", "--message-steps", "1", "--neighbours", "6",
         "--seconds", "0.01", "--threads", "1", "--crystals", "8", "--device", "cpu")


@pytest.fixture
def matlake(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process: exit status, stdout, stderr."""
    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_known_times_are_priced_without_measuring(matlake: Run) -> None:
    status, out, err = matlake("profile", "--step-ms", "3.3", "--candidates", "2000", "--price", "2", "--format", "csv")
    assert (status, err) == (0, "")
    (row,) = csv.DictReader(io.StringIO(out))
    assert float(row["hours"]) == pytest.approx(1.833, abs=1e-3)
    assert float(row["all_hours"]) == pytest.approx(3667, abs=1)
    assert float(row["all_price"]) == pytest.approx(7333, abs=1)


def test_without_a_lake_crystals_are_made_up(matlake: Run, tmp_path: Path) -> None:
    status, out, err = matlake("profile", "--root", str(tmp_path / "none"), *QUICK, "--format", "json")
    assert status == 0, err
    assert [(row["model"], row["batch_size"]) for row in json.loads(out)] == [("schnet", 2), ("schnet", 4)]
    assert "8 made-up crystals" in err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("options", "message"), [
    (("--batch-size", "many"), "whole numbers from 1"), (("--model", "gnome"), "no kind of network"),
    (("--device", "tpu"), "no device 'tpu'"), (("--step-ms", "0"), "above 0"), (("--training-steps", "0"), "from 1"),
    (("--members", "0"), "from 1"), (("--price", "-2"), "from 0"), (("--format", "xml"), "--format 'xml'"),
    (("--seconds", "nan"), "above 0"), (("--batch-size", "99", "--crystals", "3", "--made-up"), "1 to that many"),
    (("--batch-size", "32", "--model", ""), "no network"), (("--batch-size", ","), "no batch size"),
])
def test_mistakes_are_said_at_once(matlake: Run, options: tuple[str, ...], message: str, tmp_path: Path) -> None:
    status, out, err = matlake("profile", "--root", str(tmp_path), *options)
    assert (status, out) == (1, "")
    assert re.search(message, err), err
