"""The view `transfer_matrix` on small tables: a row per model and database, own models told apart, newest flagged."""

from __future__ import annotations

import csv
from pathlib import Path

from sql_case import connection_with, spelled

CASE = Path(__file__).parent / "cases" / "transfer_matrix" / "two_databases"


def test_rows_of_the_matrix() -> None:
    expected = list(csv.reader((CASE / "expected_rows.csv").read_text().splitlines()))
    with connection_with(CASE) as connection:
        found = connection.sql(
            f"select {', '.join(expected[0])} from transfer_matrix order by transfer_id, place, evaluated_on"
        ).to_arrow_table()
    assert spelled(found) == expected


def test_an_empty_lake_has_no_rows(tmp_path: Path) -> None:
    with connection_with(tmp_path) as connection:
        assert connection.sql("from transfer_matrix").to_arrow_table().num_rows == 0
