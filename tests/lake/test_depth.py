"""Text nested too deeply is replaced where it is too deep, and nowhere else."""

from __future__ import annotations

import json

import pytest

from lake.ingest.depth import MARK, shallow


@pytest.mark.parametrize("value", [[], {"a": [1, "]]}}[[", {"b": "\\\""}]}, [[["x"]]], "text", 7])
def test_what_is_not_too_deep_stays(value):
    body = json.dumps(value).encode()
    assert shallow(body, 5) == body


def test_only_the_deep_part_is_replaced():
    deep = b"[" * 5_000 + b'{"]": "}"}' + b"]" * 5_000
    body = b'{"data": [{"id": 1, "x": ' + deep + b'}, {"id": 2}], "deep": ' + deep + b"}"
    document = json.loads(shallow(body))
    assert [row["id"] for row in document["data"]] == [1, 2]
    value = document["deep"]
    while isinstance(value, list):
        value = value[0]
    assert value == json.loads(MARK)


def test_what_is_cut_stays_as_it_is():
    assert shallow(b"[" * 5_000) == b"[" * 5_000
