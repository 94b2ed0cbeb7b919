"""Keeping keys and tokens off the page, should a record or a server's message ever have carried one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

from lake.settings import Settings

SHORTEST = 8
"""Anything shorter is a word that records hold as well, not a key."""


@dataclass(frozen=True)
class Secrets:
    """The secret settings, in every spelling under which they could turn up."""

    spellings: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> Secrets:
        """The secrets among the settings."""
        values = (getattr(settings, name) for name in type(settings).model_fields)
        plain = [v.get_secret_value() for v in values if isinstance(v, SecretStr)]
        found = {s for value in plain if len(value) >= SHORTEST for s in (value, quote(value), quote_plus(value))}
        return cls(tuple(sorted(found, key=len, reverse=True)))

    def blotted(self, value: Any) -> Any:
        """A value as it came, nested lists and dicts included, with dots in place of every secret."""
        if isinstance(value, str):
            for spelling in self.spellings:
                value = value.replace(spelling, "•••")
            return value
        if isinstance(value, dict):
            return {key: self.blotted(of) for key, of in value.items()}
        if isinstance(value, list):
            return [self.blotted(of) for of in value]
        return value
