"""prefect.yaml and prefect.toml say what docs/flows.md promises."""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.ingest import DEFAULT_SOURCES

CHECKOUT = Path(__file__).parents[2]
DEPLOYMENTS = {d["name"]: d for d in yaml.safe_load((CHECKOUT / "prefect.yaml").read_text())["deployments"]}


@pytest.mark.parametrize("source", DEFAULT_SOURCES)
def test_every_source_has_a_schedule_and_a_limit(source: str) -> None:
    from prefect.client.schemas.schedules import CronSchedule

    deployment = DEPLOYMENTS[f"ingest-{source}"]
    (schedule,) = deployment["schedules"]
    assert CronSchedule(cron=schedule["cron"], timezone=schedule["timezone"]).cron == schedule["cron"]
    assert deployment["concurrency_limit"]["limit"] == 1
    assert deployment["parameters"] == {"source": source}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_deployments_fit_the_flow(name: str) -> None:
    deployment: dict[str, Any] = DEPLOYMENTS[name]
    file, _, function = deployment["entrypoint"].partition(":")
    assert (CHECKOUT / file).is_file()
    flow = getattr(import_module(file.removesuffix(".py").replace("/", ".")), function)
    assert flow.name == function
    assert set(deployment["parameters"]) <= set(flow.parameters.properties)
    assert deployment["work_pool"] == {"name": "matlake"}


def test_nothing_is_sent_home_and_the_plugin_is_on() -> None:
    settings = tomllib.loads((CHECKOUT / "prefect.toml").read_text())
    assert settings["server"]["analytics_enabled"] is False
    assert settings["plugins"]["enabled"] is True


@pytest.mark.parametrize("name", ["server", "worker"])
def test_example_environments_hold_real_settings(name: str) -> None:
    import prefect.settings

    from lake.settings import Settings

    text = (CHECKOUT / "deploy" / f"{name}.env.example").read_text()
    lines = [line.removeprefix("#") for line in text.splitlines() if "=" in line and not line.startswith("# ")]
    names = {line.partition("=")[0] for line in lines}
    ours = {n for n in names if n.startswith("MATLAKE_")}
    assert {n.removeprefix("MATLAKE_").lower() for n in ours} <= set(Settings.model_fields)
    for prefects in names - ours - {"DO_NOT_TRACK"}:
        assert hasattr(prefect.settings, prefects), prefects
