"""Where runs of trainings are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lake.store.lake import Lake

OFF = "off"
SQLITE = "sqlite:///"


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
        if uri.lower() in (OFF, ""):
            return None
        return _of_file(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else Place(uri)
    # The database waits while another training writes to it.
    return _of_file(f"{lake.root.path('mlflow.db')}?timeout=60") if lake.root.is_local else None


def _of_file(path: str) -> Place:
    """A database file, artifacts beside it: MLflow itself would put them into the working directory."""
    path, mark, options = path.partition("?")
    file = Path(path).absolute()
    return Place(f"{SQLITE}{file}{mark}{options}", (file.parent / "mlartifacts").as_uri())
