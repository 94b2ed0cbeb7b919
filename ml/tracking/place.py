"""Where runs of trainings are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lake.store.lake import Lake

OFF = "off"


@dataclass(frozen=True)
class Place:
    """Where runs are kept.

    Attributes:
        uri: MLflow's tracking URI; may hold a password, see :func:`ml.tracking.redact.redacted`.
        artifacts: URI of the folder of artifacts; None = the server knows.
    """

    uri: str
    artifacts: str | None = None


def place_of(lake: Lake) -> Place | None:
    """Where runs of a lake's trainings are kept; None = nowhere.

    That is where the setting ``tracking_uri`` says; without it `mlflow.db` in the root of a local lake, files in
    `mlartifacts` beside it. A lake on S3 has no place for a database.

    Args:
        lake: with its settings.
    """
    asked = lake.settings.tracking_uri
    if asked is not None:
        uri = asked.get_secret_value().strip()
        return None if uri.lower() in (OFF, "") else Place(uri)
    if not lake.root.is_local:
        return None
    # The database waits while another training writes to it.
    return Place(f"sqlite:///{lake.root.path('mlflow.db')}?timeout=60", Path(lake.root.path("mlartifacts")).as_uri())
