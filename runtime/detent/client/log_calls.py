"""What clients ask about logs, see `calls`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidOptions, near_names
from ..model.duration import When
from ..model.log_views import LogPage
from .calls import LOG_LEVELS, Call, moment_text

__all__ = ["log_filters", "search_logs"]

_ORDERS = ("newest", "oldest")


def search_logs(filters: Mapping[str, Any], cursor: str | None) -> Call[LogPage]:
    values = dict(filters)
    if cursor is not None:
        values["cursor"] = cursor
    return Call("logs.search", values, LogPage.model_validate)


def log_filters(
    *,
    text: str | None,
    level: str | None,
    task: str | None,
    run: str | None,
    since: When | None,
    until: When | None,
    order: str,
    limit: int,
) -> dict[str, Any]:
    """The filters as plain values. Lengths of time count back from now."""
    if not 1 <= limit <= 1_000:
        raise InvalidOptions(f"limit must be from 1 to 1,000 lines a page, got {limit}; iterate to read further pages")
    if level is not None and level not in LOG_LEVELS:
        raise InvalidOptions(f"level must be one of {', '.join(LOG_LEVELS)}, got {level!r}")
    if order not in _ORDERS:
        raise InvalidOptions(near_names("order", order, _ORDERS))
    values: dict[str, Any] = {
        "text": text or None,
        "level": level,
        "task": task,
        "run": run,
        "since": moment_text(since, "since"),
        "until": moment_text(until, "until"),
        "order": order,
        "limit": limit,
    }
    return {name: value for name, value in values.items() if value is not None}
