"""Values of a question as callers write them, also in the query of an address: read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

from ..errors import InvalidOptions
from ..model.status import Status

__all__ = ["Cursor", "Level", "Moment", "PageSize", "Seq", "StatusName", "Texts", "moment", "several", "whole"]

#: Most digits of a number in text: Python takes its time for longer ones, or takes them not at all.
_DIGITS = 19
#: Items of a page.
PageSize = Annotated[int, Meta(ge=1, le=100)]
#: Where to go on: what the page before gave as `next_cursor`.
Cursor = Annotated[str, Meta(extra_json_schema={"pattern": "^[1-9][0-9]{0,17}$"})]
#: The last place that is known; what follows is wanted.
Seq = Annotated[int, Meta(ge=0, le=2**62)]
#: ISO-8601 with a zone.
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
#: Checked by whoever takes it, where near names can be given.
StatusName = Annotated[str, Meta(extra_json_schema={"enum": [status.value for status in Status]})]
#: One text or several; checked by whoever takes it.
Texts = Annotated[Any, Meta(extra_json_schema={"type": ["string", "array", "null"], "items": {"type": "string"}})]
Level = Literal["debug", "info", "warn", "error"]


def several(value: str | Sequence[str]) -> tuple[str, ...]:
    """One value or more, as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)


def whole(name: str, value: int | str, least: int, most: int) -> int:
    """A whole number from `least` to `most`. Errors: `InvalidOptions`."""
    is_number = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS
    number = int(value) if is_number else value
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        raise InvalidOptions(f"{name} must be a whole number from {least} to {most}, got {repr(value)[:100]}")
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
