"""Addresses without the passwords and keys in them."""

from __future__ import annotations

import re

_USER = re.compile(r"(?<=://)[^/\s]+@")
_KEY = re.compile(r"(?i)([?&;][^=&;\s]*(?:password|passwd|pwd|token|secret|key|signature|sig)[^=&;\s]*=)[^&;\s'\")]+")


def redacted(text: str) -> str:
    """A text in which ``user:password@`` of addresses and values of password-like parameters are ``***``."""
    return _KEY.sub(r"\1***", _USER.sub("***@", text))
