"""The settings of matlake: one class, every field readable from `MATLAKE_…` or a `.env` file."""

from __future__ import annotations

import os
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from lake.errors import SettingsError

PREFIX = "MATLAKE_"


class Settings(BaseSettings):
    """Everything that can be set, from the environment (prefix `MATLAKE_`) or a `.env` file."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", hide_input_in_errors=True)

    root: str = Field("lake-data", description="The lake: a folder, or s3://bucket/prefix.")
    cache_dir: str | None = Field(
        None, description="Where lake.duckdb of an s3:// lake lives; default ~/.cache/matlake."
    )
    workers: Annotated[int, Field(ge=0)] = Field(
        0, description="Processes that normalise pages; 0 = one per core."
    )
    batch_records: Annotated[int, Field(ge=1)] = Field(4_000, description="Records normalised and committed together.")
    batch_megabytes: Annotated[int, Field(ge=1)] = Field(64, description="Size at which a batch is closed early.")

    dask_scheduler: str | None = Field(
        None, description="Address of a Dask scheduler, tcp://host:8786; default: local processes where they help."
    )
    dask_workers: Annotated[int, Field(ge=0)] = Field(
        0, description="Local Dask processes; 0 = one per core, 1 = no processes, all in this one."
    )
    dask_worker_memory_gb: Annotated[float, Field(gt=0)] = Field(4.0, description="Memory limit of a local worker.")
    task_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        600.0, description="Longest wait for a worker, and for the next task to end."
    )
    task_attempts: Annotated[int, Field(ge=1)] = Field(
        3, description="Workers that one task may take down with it before the run is given up."
    )

    device: str = Field(
        "auto", description="Where networks compute: cpu, cuda, cuda:1, …; auto = a GPU where there is one."
    )

    tracking_uri: SecretStr | None = Field(
        None, description="Where MLflow records trainings: address of a server or database, or off; default: "
                          "mlflow.db in the root of a local lake."
    )

    mp_api_key: SecretStr | None = Field(None, description="Key of the Materials Project API.")
    nomad_token: SecretStr | None = Field(None, description="Bearer token of NOMAD or an Oasis, for private data.")

    s3_endpoint_url: str | None = Field(None, description="Another S3 server than AWS.")
    s3_access_key_id: SecretStr | None = Field(None, description="Access key of that server.")
    s3_secret_access_key: SecretStr | None = Field(None, description="Secret key of that server.")
    s3_region: str = Field("us-east-1", description="Region of the bucket.")

    requests_per_second: float | None = Field(
        None, gt=0, description="Rate limit towards every source; default: the source's own."
    )
    concurrent_requests: int | None = Field(
        None, ge=1, description="Requests under way at once per source; default: the source's own."
    )
    timeout_seconds: Annotated[float, Field(gt=0)] = Field(60.0, description="Time-out of one request.")
    attempts: Annotated[int, Field(ge=1)] = Field(6, description="Tries of one request before it counts as failed.")
    backoff_seconds: Annotated[float, Field(ge=0)] = Field(
        1.0, description="First pause after a failed request; doubles, with jitter."
    )
    max_backoff_seconds: Annotated[float, Field(gt=0)] = Field(
        60.0, description="Longest pause between two tries, Retry-After included."
    )


def load_settings(**overrides: object) -> Settings:
    """Read the settings; arguments win over the environment, and that over a `.env` file.

    Raises:
        SettingsError: a name is unknown, or a value is of the wrong form; the values themselves are not shown.
    """
    file = {name.upper(): value for name, value in dotenv_values(".env").items()}
    environment = {name.upper() for name in os.environ}
    _refuse_unknown({name for name in environment | set(file) if name.startswith(PREFIX)})
    given: dict[str, object] = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in file.items()
        if name.startswith(PREFIX) and name not in environment
    }
    given |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = "; ".join(f"{PREFIX}{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"Settings cannot be used: {faults}.") from None


def _refuse_unknown(names: set[str]) -> None:
    """A misspelt setting must not be ignored in silence."""
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    for name in sorted(names - set(known)):
        close = get_close_matches(name, known, n=1)
        hint = f" Is {close[0]} meant?" if close else ""
        raise SettingsError(f"There is no setting {name}.{hint} Settings: {', '.join(known)}.")


@lru_cache(maxsize=1)
def default_settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()
