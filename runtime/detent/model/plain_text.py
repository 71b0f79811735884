"""Texts that every store can keep: a NUL character is in none of them, since PostgreSQL has no texts with one."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from ..errors import InvalidOptions

__all__ = ["NUL", "refuse_nul", "without_nul"]

NUL = "\0"
#: What is shown in its place.
_SHOWN = "\u2400"


def refuse_nul(name: str, value: Any) -> None:
    """Check a text, or the texts within a list or a mapping. Errors: `InvalidOptions` where one has a NUL character."""
    if isinstance(value, str):
        if NUL in value:
            raise InvalidOptions(f"{name} has a NUL character, which no database keeps; remove it, got {value[:100]!r}")
    elif isinstance(value, Mapping):
        for inner in value.values():
            refuse_nul(name, inner)
    elif isinstance(value, list | tuple | Set):
        for inner in value:
            refuse_nul(name, inner)


def without_nul(text: str) -> str:
    """`text` with the sign ``␀`` for each NUL character: of texts that come from the code of tasks."""
    return text.replace(NUL, _SHOWN)
