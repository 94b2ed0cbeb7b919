"""The peak memory of an ingest does not grow with the number of pages."""

from __future__ import annotations

import pytest

from benchmarks.memory import measure
from tests.conftest import LONG


@pytest.mark.slow
def test_memory_does_not_grow_with_the_pages():
    pages = 100 if LONG else 60
    few, many = measure(20, 50, 20), measure(pages, 50, 20)
    assert (few.records, many.records) == (1000, 50 * pages)
    further = many.reply_mib - few.reply_mib
    assert further > 0.8 * (pages - 20)
    # A decoded reply takes several times its bytes: keeping even a part of them would show.
    assert many.peak_mib - few.peak_mib < 0.4 * further
