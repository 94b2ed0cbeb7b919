"""Identifiers of the Materials Project: ``mp-149``, ``mp-ft`` and ``mp-aaaaaaft`` are one and the same.

An AlphaID writes an integer in base 26 with the letters a–z as digits, a = 0, padded on the left with a
(emmet-core, ``emmet.core.mpid.AlphaID``). Integers up to :data:`LAST_NUMBERED` keep their decimal form.
"""

from __future__ import annotations

import re
from typing import Any

LAST_NUMBERED = 3_347_529
"""The largest id that was given out in decimal form."""
PADDED_LENGTH = 8

_ID = re.compile(r"(?:([a-z]{1,20})[-:_])?(?:(\d{1,15})|([a-z]{1,12}))((?:-[A-Za-z0-9]{1,30})*)")
_OTHER = re.compile(r"[A-Za-z]{1,20}[-:_][A-Za-z0-9][A-Za-z0-9+._:\-]{0,99}|[0-9A-Z]{26}")
_THERMO_ID = re.compile(r"(.+?)[-_]([A-Za-z0-9]*(?:GGA|SCAN|PBE|LDA|HSE|UNKNOWN)[A-Za-z0-9+_\-]*)")
_FILE_ID = re.compile(r"(?<![A-Za-z])(?:mp|mvc)-(?:\d{1,15}|[a-z]{8})(?![A-Za-z0-9])")


def canonical(value: Any) -> str | None:
    """The one form of an id that the lake uses; None where the value is no id.

    ``mp-149``, ``mp-ft``, ``mp-aaaaaaft``, ``aaaaaaft`` and 149 all give ``mp-149``; ids beyond
    :data:`LAST_NUMBERED` give the padded AlphaID. Ids of another form are kept as they are.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        value = str(value)
    if not isinstance(value, str) or len(value) > 150:
        return None
    text = value.strip()
    found = _ID.fullmatch(text)
    if found is None or (found[1] is None and found[3] is not None and len(found[3]) < PADDED_LENGTH):
        # A short word without prefix is a word, no number.
        return text if _OTHER.fullmatch(text) else None
    prefix, digits, letters, rest = found.groups()
    number = int(digits) if digits else from_letters(letters)
    body = str(number) if number <= LAST_NUMBERED else to_letters(number)
    return f"{prefix or 'mp'}-{body}{rest}"


def from_letters(letters: str) -> int:
    """The integer that an AlphaID's letters stand for: ``ft`` and ``aaaaaaft`` → 149."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("a")
    return number


def to_letters(number: int) -> str:
    """The padded letters of an integer: 149 → ``aaaaaaft``."""
    letters = ""
    while number:
        number, digit = divmod(number, 26)
        letters = chr(ord("a") + digit) + letters
    return letters.rjust(PADDED_LENGTH, "a")


def thermo_type(value: Any) -> str | None:
    """The name of a hull, such as ``GGA_GGA+U_R2SCAN``; r2SCAN in any spelling is ``R2SCAN``."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9+_\-]{1,60}", value.strip()):
        return None
    name = value.strip()
    return "R2SCAN" if name.upper() == "R2SCAN" else name


def thermo_parts(record: dict[str, Any]) -> tuple[str | None, str | None]:
    """Material id and hull of a thermo document, from their fields or from its ``thermo_id``."""
    material, hull = canonical(record.get("material_id")), thermo_type(record.get("thermo_type"))
    stated = record.get("thermo_id")
    if (material is None or hull is None) and isinstance(stated, str) and len(stated) <= 200:
        found = _THERMO_ID.fullmatch(stated.strip())
        if found:
            material, hull = material or canonical(found[1]), hull or thermo_type(found[2])
    return material, hull


def id_in_name(name: str) -> str | None:
    """The id in a file name such as ``dos_spin_polarization_mp-865805.json``; None unless there is exactly one."""
    found = {canonical(text) for text in _FILE_ID.findall(name)}
    return found.pop() if len(found) == 1 else None
