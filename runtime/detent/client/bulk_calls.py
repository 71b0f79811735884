"""What clients ask about work on many runs, see `calls`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from ..errors import InvalidOptions
from ..model.bulk_views import BulkAction, BulkPage
from ..model.duration import Duration, When
from ..model.ids import new_id
from .calls import Call, run_filters

__all__ = ["RunFilters", "abort_bulk", "begin_bulk", "list_bulk", "retrieve_bulk"]


class RunFilters(TypedDict, total=False):
    """Which runs; different filters must all fit, values of one are alternatives. See `RunsResource.list`."""

    status: str | Iterable[str] | None
    task: str | Iterable[str] | None
    version: str | Iterable[str] | None
    tag: str | Iterable[str] | None
    queue: str | None
    batch: str | None
    parent: str | None
    root: str | None
    schedule: str | None
    since: When | None
    until: When | None
    period: Duration | None
    search: str | None
    error: str | None


def begin_bulk(
    action: str, ids: Sequence[str] | None, filters: Mapping[str, Any], *, name: str, reason: str, dry_run: bool
) -> Call[BulkAction]:
    unknown = sorted(filters.keys() - RunFilters.__annotations__.keys())
    if unknown:
        from ..errors import near_names

        raise InvalidOptions(near_names("filter", unknown[0], sorted(RunFilters.__annotations__)))
    # The id is made here, so that sending it again makes no second one.
    values: dict[str, Any] = {
        "action": action,
        "id": new_id("bulk"),
        "dry_run": dry_run,
        "name": name,
        "reason": reason,
    }
    wanted = run_filters(**{option: filters.get(option) for option in RunFilters.__annotations__}, limit=1)
    del wanted["limit"]
    if wanted or ids is None:
        values["filter"] = wanted
    if ids is not None:
        values["ids"] = [ids] if isinstance(ids, str) else list(ids)
    return Call("bulk.create", values, BulkAction.model_validate)


def list_bulk(limit: int, cursor: str | None) -> Call[BulkPage]:
    if not 1 <= limit <= 100:
        raise InvalidOptions(f"limit must be from 1 to 100 a page, got {limit}; iterate to read further pages")
    values: dict[str, Any] = {"limit": limit}
    if cursor is not None:
        values["cursor"] = cursor
    return Call("bulk.list", values, BulkPage.model_validate)


def retrieve_bulk(action_id: str) -> Call[BulkAction]:
    return Call("bulk.retrieve", {"id": action_id}, BulkAction.model_validate)


def abort_bulk(action_id: str) -> Call[BulkAction]:
    return Call("bulk.abort", {"id": action_id}, BulkAction.model_validate)
