"""JSON that is nested deeper than any reader goes, made readable: one such record must not cost the others."""

from __future__ import annotations

import re

DEEPEST = 200
MARK = b'"(nested too deeply)"'

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def shallow(body: bytes, deepest: int = DEEPEST) -> bytes:
    """A JSON text with every list or object deeper than ``deepest`` replaced by a text that says so."""
    parts: list[bytes] = []
    depth = end = 0
    for token in _TOKEN.finditer(body):
        sign = token[0][:1]
        if sign in b"[{":
            depth += 1
            if depth == deepest + 1:
                parts += [body[end : token.start()], MARK]
        elif sign in b"]}":
            if depth == deepest + 1:
                end = token.end()
            depth -= 1
    return b"".join(parts) + body[end:] if parts and depth <= deepest else body
