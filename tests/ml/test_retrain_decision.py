"""The rule of retraining, and how decisions are written down."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lake.errors import InputError
from lake.store.lake import Lake
from ml.registry.champion import champion_id, enrolled, history
from ml.retrain.compare import Comparison
from ml.retrain.decide import check_margin, record, verdict


def found(low: float, high: float, **more: Any) -> Comparison:
    middle = (low + high) / 2
    given = {"n": 40, "n_materials": 40, "n_seen": 0, "n_unknown": 0} | more
    return Comparison(**given, champion_mae=0.5, challenger_mae=0.5 + middle, difference=middle, low=low, high=high)


@pytest.mark.parametrize(
    ("low", "high", "promoted", "word"),
    [
        (-0.1, -0.01, True, "is better"),
        (-0.1, 0.01, True, "not worse"),
        (-0.1, 0.02, True, "not worse"),
        (-0.1, 0.03, False, "not certain"),
        (0.01, 0.2, False, "not certain"),
        (0.03, 0.2, False, "is worse"),
        (float("nan"), float("nan"), False, "too few materials"),
    ],
)
def test_only_what_is_within_the_margin_is_promoted(low: float, high: float, promoted: bool, word: str) -> None:
    is_promoted, reason = verdict(found(low, high), 0.02, "eV")
    assert is_promoted is promoted
    assert word in reason


def test_rows_left_out_are_said() -> None:
    _, reason = verdict(found(-0.1, 0.0, n_seen=1_200, n_unknown=3), 0.02, "eV")
    assert "1,200 of materials that the champion has seen" in reason
    assert "3 with elements that it does not know" in reason


def test_without_rows_nobody_is_promoted() -> None:
    promoted, reason = verdict(Comparison(0, 0, 7, 0), 0.02, "eV")
    assert not promoted
    assert "no test row" in reason


@pytest.mark.parametrize("margin", [-0.01, 1.0, float("nan")])
def test_a_margin_is_a_share(margin: float) -> None:
    with pytest.raises(InputError, match="share"):
        check_margin(margin)


def decision(challenger: str, promoted: bool = True) -> dict[str, Any]:
    return {"challenger_id": challenger, "promoted": promoted, "reason": "because"}


def test_decisions_count_up_and_the_last_promoted_is_champion(lake: Lake) -> None:
    assert champion_id(lake, "fe") is None
    for challenger, promoted in (("fe.1", True), ("fe.2", True), ("fe.3", False)):
        record(lake, "fe", decision(challenger, promoted))
    record(lake, "gap", decision("gap.1"))
    assert [row["decision"] for row in history(lake, "fe")] == [1, 2, 3]
    assert champion_id(lake, "fe") == "fe.2"
    assert enrolled(lake) == ["fe", "gap"]


def test_a_challenger_is_decided_on_once(lake: Lake) -> None:
    first = record(lake, "fe", decision("fe.1"))
    again = record(lake, "fe", decision("fe.1", promoted=False))
    assert again["decision"] == first["decision"] == 1
    assert again["promoted"] is True
    assert lake.read("promotions").num_rows == 1


def test_decisions_at_once_get_a_number_each(lake: Lake) -> None:
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda n: record(lake, "fe", decision(f"fe.{n}")), range(1, 7)))
    assert sorted(row["decision"] for row in rows) == [1, 2, 3, 4, 5, 6]
    assert len({row["challenger_id"] for row in history(lake, "fe")}) == 6
