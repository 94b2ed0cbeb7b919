"""One ingest of a source at a time, however many deployments and workers there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

LEASE_SECONDS = 60.0
"""A run that was killed gives its slot back after so long at the latest."""


def slot_name(source: str) -> str:
    """The name of a source's limit, for `prefect global-concurrency-limit update`."""
    return f"matlake-ingest-{source}"


@contextmanager
def source_slot(source: str) -> Iterator[None]:
    """Hold the slot of a source; waits while another run holds it.

    The limit is created with one slot if the server has none of that name; a limit set by hand stays.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
    from prefect.concurrency.sync import concurrency
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound, PrefectHTTPStatusError

    name = slot_name(source)
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(name)
        except ObjectNotFound:
            try:
                client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))
            except (ObjectAlreadyExists, PrefectHTTPStatusError):
                client.read_global_concurrency_limit_by_name(name)  # another run was quicker
    with concurrency(name, lease_duration=LEASE_SECONDS, raise_on_lease_renewal_failure=False):
        yield
