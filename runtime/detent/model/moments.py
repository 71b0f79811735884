"""Moments as users see them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload

__all__ = ["iso"]


@overload
def iso(ms: int) -> str: ...
@overload
def iso(ms: None) -> None: ...
def iso(ms: int | None) -> str | None:
    """Milliseconds since 1970 as ISO-8601 text in UTC."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
