"""What clients ask about errors, see `calls`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ..errors import InvalidOptions
from ..model.duration import When, is_moment, parse_when
from ..model.error_views import ErrorDetail, ErrorPage
from .calls import Call, moment_text, texts

__all__ = ["error_filters", "ignore_error", "list_errors", "resolve_error", "retrieve_error", "unresolve_error"]


def list_errors(filters: Mapping[str, Any], cursor: str | None) -> Call[ErrorPage]:
    values = dict(filters)
    if cursor is not None:
        values["cursor"] = cursor
    return Call("errors.list", values, ErrorPage.model_validate)


def error_filters(
    *,
    status: str | Iterable[str] | None,
    task: str | Iterable[str] | None,
    search: str | None,
    since: When | None,
    until: When | None,
    limit: int,
) -> dict[str, Any]:
    """The filters of a list as plain values. Lengths of time count back from now."""
    if not 1 <= limit <= 100:
        raise InvalidOptions(f"limit must be from 1 to 100 errors a page, got {limit}; iterate to read further pages")
    values: dict[str, Any] = {
        "status": [name.upper() for name in texts(status)],
        "task": texts(task),
        "search": search,
        "since": moment_text(since, "since"),
        "until": moment_text(until, "until"),
        "limit": limit,
    }
    return {name: value for name, value in values.items() if value not in (None, [])}


def retrieve_error(error_id: str) -> Call[ErrorDetail]:
    return Call("errors.retrieve", {"id": error_id}, ErrorDetail.model_validate)


def resolve_error(error_id: str) -> Call[ErrorDetail]:
    return Call("errors.resolve", {"id": error_id}, ErrorDetail.model_validate)


def ignore_error(error_id: str, until: When | None, occurrences: int | None) -> Call[ErrorDetail]:
    values: dict[str, Any] = {"id": error_id}
    if until is not None:
        values["until"] = _until(until)
    if occurrences is not None:
        values["occurrences"] = occurrences
    return Call("errors.ignore", values, ErrorDetail.model_validate)


def unresolve_error(error_id: str) -> Call[ErrorDetail]:
    return Call("errors.unresolve", {"id": error_id}, ErrorDetail.model_validate)


def _until(value: When) -> str:
    """As text: a length of time stays one, since the store's clock counts it."""
    ms = parse_when(value, 0, "until")
    if not is_moment(value):
        return f"{ms}ms"
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
