"""Lets `prefect deployment run ingest` do what `prefect deployment run ingest/ingest` does.

Prefect 3 wants the flow's and the deployment's name. This plugin (entry point group `prefect.plugins`,
enabled in `prefect.toml`) asks the server which flow a bare deployment name belongs to. It is loaded whenever
Prefect is imported, so it imports nothing of its own and does nothing unless a `prefect deployment` command
is being run.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prefect.plugins import register_hook

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

COMMANDS = frozenset({"deployment", "deployments"})


@register_hook
def setup_environment(*, ctx: Any) -> None:  # noqa: ARG001 - named so by the specification
    """Prefect's startup hook: teach the client bare names where a deployment command will need them."""
    if is_deployment_command(sys.argv):
        accept_bare_names()


def is_deployment_command(argv: Sequence[str]) -> bool:
    """Whether a command line is `prefect [options] deployment …`."""
    return not COMMANDS.isdisjoint(argv[1:])


def accept_bare_names() -> None:
    """Let `PrefectClient.read_deployment_by_name` take a deployment's name without its flow's; idempotent."""
    from prefect.client.orchestration import PrefectClient

    known = PrefectClient.read_deployment_by_name
    if hasattr(known, "__wrapped__"):
        return

    @functools.wraps(known)
    async def read_deployment_by_name(self: PrefectClient, name: str) -> Any:
        return await known(self, name if "/" in name else await full_name(self, name))

    PrefectClient.read_deployment_by_name = read_deployment_by_name  # type: ignore[method-assign, assignment]


async def full_name(client: PrefectClient, name: str) -> str:
    """The `flow/deployment` name that a bare deployment name stands for.

    Raises:
        SystemExit: no deployment of that name, or several; the message names them.
    """
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName

    wanted = DeploymentFilter(name=DeploymentFilterName(any_=[name]))
    found = await client.read_deployments(deployment_filter=wanted)
    names = sorted([f"{(await client.read_flow(d.flow_id)).name}/{d.name}" for d in found])
    if len(names) == 1:
        return names[0]
    if names:
        raise SystemExit(f"Deployment name {name!r} is ambiguous. Give one of: {', '.join(names)}.")
    raise SystemExit(
        f"There is no deployment {name!r} on {client.api_url}. `prefect deployment ls` lists them, "
        "`prefect deploy --all` creates those of prefect.yaml."
    )
