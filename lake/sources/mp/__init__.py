"""The Materials Project: its REST API, its tables on S3, and the community's snapshot of 2018."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lake.errors import SettingsError
from lake.settings import Settings
from lake.sources.base import Context, Declaration, Identity, Page, Record, Walker
from lake.sources.batch import Batch
from lake.sources.mp import records
from lake.sources.mp.declaration import DECLARATION
from lake.sources.mp.density import normalise_crystals, normalise_densities
from lake.sources.mp.fetch import walk
from lake.sources.mp.materials import normalise_snapshot, normalise_summary
from lake.sources.mp.query import read_query
from lake.sources.mp.tasks import normalise_tasks
from lake.sources.mp.thermo import normalise_thermo

_NORMALISERS = {
    "summary": normalise_summary,
    "snapshot2018": normalise_snapshot,
    "thermo": normalise_thermo,
    "task": normalise_tasks,
    "dos": normalise_densities,
    "dos_crystal": normalise_crystals,
}


class MaterialsProject:
    """The source `mp`, see :class:`lake.sources.base.Source`."""

    declaration: Declaration = DECLARATION
    version: int = 1

    def headers(self, settings: Settings) -> dict[str, str]:
        """The API key as a header, where one is set."""
        key = settings.mp_api_key.get_secret_value().strip() if settings.mp_api_key else ""
        return {"X-API-KEY": key} if key else {}

    def check_settings(self, settings: Settings, options: Mapping[str, str], base_url: str | None) -> None:
        """Refuse a live call that cannot work.

        Raises:
            SettingsError: an option is wrong, or the official API is to be asked and no key is set.
        """
        query = read_query(options, base_url)
        if query.needs_key and not self.headers(settings):
            raise SettingsError(
                "The Materials Project wants a key: get one at https://materialsproject.org/api (free, after a "
                "login) and set MATLAKE_MP_API_KEY to it. Whole collections need none: --via s3."
            )

    def walk(self, walker: Walker, options: Mapping[str, str], base_url: str | None) -> Iterator[Page]:
        """All records that the options name; see :mod:`lake.sources.mp.fetch` and :mod:`lake.sources.mp.bulk`."""
        return walk(walker, options, base_url)

    def check(self, body: bytes, document: Any) -> None:
        """Refuse error messages that come with status 200."""
        records.check(body, document)

    def records(self, document: Any, origin: str) -> tuple[str, Sequence[Record]]:
        """The kind of a document (summary, thermo, task, snapshot2018, dos) and its records."""
        return records.records(document, origin)

    def decode(self, body: bytes, origin: str) -> Any | None:  # noqa: ARG002 - everything is JSON
        """None: everything here is JSON."""
        return None

    def identify(self, record: Record, kind: str) -> Identity | None:
        """The id of a material, thermo document, task or density of states, in its one canonical form."""
        return records.identify(record, kind)

    def derived(self, found: Sequence[Record], kind: str) -> tuple[str, list[Record]] | None:
        """Densities of states that hold their crystal: it tells the material where nothing else does."""
        return ("dos_crystal", records.with_structure(found)) if kind == "dos" else None

    def normalise(self, batch: Batch, kind: str, context: Context) -> None:
        """Fill the columns of `calculations` or `dos`."""
        _NORMALISERS[kind](batch, context.options)


SOURCE = MaterialsProject()
