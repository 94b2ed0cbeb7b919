"""`prefect deployment run NAME`: which names the plugin takes, and that it leaves the rest alone."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from flows import prefect_plugin as plugin


class Client:
    """The part of Prefect's client that the plugin uses."""

    api_url = "http://127.0.0.1/api"

    def __init__(self, *names: str) -> None:
        self.names = [name.split("/") for name in names]

    async def read_deployments(self, deployment_filter: Any) -> list[SimpleNamespace]:
        wanted = deployment_filter.name.any_
        return [SimpleNamespace(name=d, flow_id=f) for f, d in self.names if d in wanted]

    async def read_flow(self, flow_id: str) -> SimpleNamespace:
        return SimpleNamespace(name=flow_id)


def full_name(name: str, *known: str) -> str:
    return asyncio.run(plugin.full_name(Client(*known), name))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("prefect deployment run ingest", True),
        ("prefect --profile lab deployments run ingest", True),
        ("prefect worker start --pool matlake", False),
        ("prefect", False),
        ("deployment", False),
    ],
)
def test_only_deployment_commands_are_touched(line: str, expected: bool) -> None:
    assert plugin.is_deployment_command(line.split()) is expected


def test_a_bare_name_is_completed() -> None:
    assert full_name("nightly", "ingest/ingest", "curate/nightly") == "curate/nightly"


def test_an_ambiguous_name_names_the_choices() -> None:
    with pytest.raises(SystemExit, match=r"ambiguous.*curate/nightly, ingest/nightly"):
        full_name("nightly", "ingest/nightly", "curate/nightly")


def test_an_unknown_name_says_how_to_deploy() -> None:
    with pytest.raises(SystemExit, match=r"no deployment 'ingest'.*prefect deploy --all"):
        full_name("ingest", "curate/nightly")


def test_the_client_takes_both_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.client.orchestration import PrefectClient

    asked: list[str] = []

    async def read(_: object, name: str) -> None:
        asked.append(name)

    monkeypatch.setattr(PrefectClient, "read_deployment_by_name", read)
    plugin.accept_bare_names()
    plugin.accept_bare_names()
    client = Client("ingest/ingest")
    asyncio.run(PrefectClient.read_deployment_by_name(client, "ingest"))
    asyncio.run(PrefectClient.read_deployment_by_name(client, "other/ingest"))
    assert asked == ["ingest/ingest", "other/ingest"]
