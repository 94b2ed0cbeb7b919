"""The exceptions of matlake: one small family, each message saying what, where, and what to do."""

from __future__ import annotations


class MatlakeError(Exception):
    """Anything that matlake itself reports to a person."""


class SettingsError(MatlakeError):
    """A setting or an option is missing, unknown or of the wrong form."""


class InputError(MatlakeError):
    """A file or folder given by the user cannot be read as what it should be."""


class BadReplyError(MatlakeError):
    """A server's reply is broken (cut, not JSON, an error text with status 200): worth another try."""


class RefusedError(MatlakeError):
    """A server refused the request itself (bad query, no key): another try will not help."""


class IncompleteError(MatlakeError):
    """An ingest ended with pages or records missing; the message names them."""


class TableError(MatlakeError):
    """A table is missing, of another schema, or could not be committed."""


class QueryError(MatlakeError):
    """A SQL query is unknown, lacks a parameter, or failed."""


class StructureError(MatlakeError):
    """A crystal cannot be turned into a row, or a row into a crystal, without losing something."""


class WorkerError(MatlakeError):
    """Work spread over processes or machines did not come to its end; the message names the task."""


class LostWorkersError(WorkerError):
    """A task took its workers down with it, more than once.

    Attributes:
        task: its name.
    """

    def __init__(self, message: str, task: str = "") -> None:
        super().__init__(message)
        self.task = task

    def __reduce__(self) -> tuple[type[LostWorkersError], tuple[str, str]]:
        return type(self), (str(self), self.task)


class TrainingError(MatlakeError):
    """A training cannot go on: a loss that is no number, no memory, no room for what it keeps."""


class CheckpointError(TrainingError):
    """What a training needs to go on cannot be kept: no room, or no right to write."""
