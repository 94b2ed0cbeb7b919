"""The settings of matlake: one class, every field readable from `MATLAKE_…` or a `.env` file."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from lake.errors import SettingsError


class Settings(BaseSettings):
    """Everything that can be set, from the environment (prefix `MATLAKE_`) or a `.env` file."""

    model_config = SettingsConfigDict(
        env_prefix="MATLAKE_", env_file=".env", extra="forbid", hide_input_in_errors=True
    )

    root: str = Field("lake-data", description="The lake: a folder, or s3://bucket/prefix.")
    cache_dir: str | None = Field(
        None, description="Where lake.duckdb of an s3:// lake lives; default ~/.cache/matlake."
    )
    workers: Annotated[int, Field(ge=0)] = Field(
        0, description="Processes that normalise pages; 0 = one per core."
    )
    batch_records: Annotated[int, Field(ge=1)] = Field(4_000, description="Records normalised and committed together.")
    batch_megabytes: Annotated[int, Field(ge=1)] = Field(64, description="Size at which a batch is closed early.")

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
    """Read the settings; arguments win over the environment.

    Raises:
        SettingsError: a value is missing or of the wrong form; the values themselves are not shown.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = "; ".join(f"MATLAKE_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"Settings cannot be used: {faults}.") from None


@lru_cache(maxsize=1)
def default_settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()
