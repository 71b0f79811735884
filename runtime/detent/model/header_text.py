"""Names in HTTP headers, which carry ASCII: others are written as in addresses (percent-encoded UTF-8)."""

from __future__ import annotations

from typing import overload
from urllib.parse import quote, unquote

__all__ = ["in_header", "of_header"]

#: What is sent as it is.
_SAFE = "/!#$&'()*+,;=:@[] "


def in_header(name: str) -> str:
    """`name` as a header carries it; that of ASCII letters, digits and slashes is as it was."""
    return quote(name, safe=_SAFE)


@overload
def of_header(value: str) -> str: ...
@overload
def of_header(value: None) -> None: ...
def of_header(value: str | None) -> str | None:
    """The name that a header carries: percent-encoded, or as UTF-8 that somebody sent as it is."""
    if value is None or (value.isascii() and "%" not in value):
        return value
    try:
        # Servers read headers as Latin-1.
        value = value.encode("latin-1").decode()
    except UnicodeError:
        return value
    return unquote(value)
