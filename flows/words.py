"""Options that hold several values: words and numbers with commas."""

from __future__ import annotations

from lake.errors import SettingsError


def words(text: str | None) -> tuple[str, ...]:
    """The words, each once."""
    return tuple(dict.fromkeys(word.strip() for word in (text or "").split(",") if word.strip()))


def numbers(text: str, option: str) -> tuple[int, ...]:
    """Whole numbers.

    Raises:
        SettingsError: one is none.
    """
    try:
        return tuple(int(word) for word in words(text))
    except ValueError:
        raise SettingsError(f"{option} {text!r:.80}: whole numbers with commas are needed.") from None
