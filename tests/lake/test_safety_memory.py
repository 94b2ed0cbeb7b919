"""The peak memory of an ingest does not grow with the number of pages."""

from __future__ import annotations

import pytest

from benchmarks.memory import measure
from tests.conftest import only_long


@pytest.mark.slow
@only_long
def test_memory_does_not_grow_with_the_pages():
    few, many = measure(20, 50, 20), measure(100, 50, 20)
    assert (few.records, many.records) == (1000, 5000)
    further = many.reply_mib - few.reply_mib
    assert further > 70
    # A decoded reply takes several times its bytes: keeping even a part of them would show.
    assert many.peak_mib - few.peak_mib < 0.4 * further
