"""Values of a question as callers write them, also in the query of an address: read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..errors import InvalidOptions

__all__ = ["moment", "several", "whole"]


def several(value: str | Sequence[str]) -> tuple[str, ...]:
    """One value or more, as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)


def whole(name: str, value: int | str, least: int, most: int) -> int:
    """A whole number from `least` to `most`. Errors: `InvalidOptions`."""
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        raise InvalidOptions(f"{name} must be a whole number from {least} to {most}, got {value!r}")
    return number


def moment(name: str, text: str | None) -> int | None:
    """Milliseconds since 1970 of ISO-8601 text with a zone. Errors: `InvalidOptions`."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError("no zone")
    except (ValueError, TypeError):
        raise InvalidOptions(
            f"{name} must be a moment with its zone such as 2026-11-22T09:00:00Z, got {text!r}"
        ) from None
    return int(at.timestamp() * 1000)
