"""The (Al,Ga,In)₂O₃ alloys of the NOMAD 2018 competition, read from files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lake.errors import SettingsError
from lake.settings import Settings
from lake.sources.base import Context, Declaration, Identity, Page, Record, Walker
from lake.sources.batch import Batch
from lake.sources.nomad2018 import records, texts
from lake.sources.nomad2018.declaration import DECLARATION, HOMEPAGE
from lake.sources.nomad2018.normalise import normalise_alloys

_NO_API = (
    "nomad2018 is a data set without an API: it is read from files. Download it once "
    f"({HOMEPAGE}) and name the folder: matlake ingest nomad2018 --from FOLDER."
)


class Nomad2018:
    """The source `nomad2018`, see :class:`lake.sources.base.Source`."""

    declaration: Declaration = DECLARATION
    version: int = 1

    def check_settings(self, settings: Settings, options: Mapping[str, str], base_url: str | None) -> None:  # noqa: ARG002 - no live call works
        """Refuse live calls.

        Raises:
            SettingsError: always; files and URLs of files are read without this check.
        """
        raise SettingsError(_NO_API)

    def walk(self, walker: Walker, options: Mapping[str, str], base_url: str | None) -> Iterator[Page]:  # noqa: ARG002 - as above
        """There is nothing to walk.

        Raises:
            SettingsError: always.
        """
        raise SettingsError(_NO_API)

    def check(self, body: bytes, document: Any) -> None:
        """Refuse what is no file of the competition."""
        records.check(body, document)

    def records(self, document: Any, origin: str) -> tuple[str, Sequence[Record]]:
        """The kind of a document (alloys, competition_table, geometry) and its records."""
        return records.records(document, origin)

    def decode(self, body: bytes, origin: str) -> Any | None:  # noqa: ARG002 - known by its shape
        """A geometry.xyz as a document; None for JSON."""
        return texts.decode(body)

    def identify(self, record: Record, kind: str) -> Identity | None:  # noqa: ARG002 - all kinds have the same ids
        """``train/<id>`` or ``test/<id>``, a row of `calculations`."""
        return records.identify(record)

    def normalise(self, batch: Batch, kind: str, context: Context) -> None:  # noqa: ARG002 - no option changes a row
        """Fill the columns of `calculations`."""
        normalise_alloys(batch, kind)


SOURCE = Nomad2018()
