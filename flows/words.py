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


def shares(text: str | None) -> tuple[float, float, float] | None:
    """Shares of train, validation and test; None = none were given.

    Raises:
        SettingsError: they are not three numbers.
    """
    if text is None:
        return None
    try:
        train, validation, test = (float(word) for word in text.split(","))
    except ValueError:
        raise SettingsError(f"--split {text!r:.80}: three numbers with commas, such as 0.8,0.1,0.1.") from None
    return train, validation, test
