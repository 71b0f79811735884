"""Each operation once: what is asked, and how the answer is read. The two clients only differ in how they
wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import TypeAdapter

from ..errors import InvalidOptions
from ..model.duration import Duration, When, parse_duration, parse_when
from ..model.status import Status
from ..model.transport import Transport
from ..model.views import (
    ChildRun,
    Event,
    Health,
    LogEntry,
    RunDetail,
    RunOutcome,
    RunPage,
    TaskView,
    TraceSpan,
)

__all__ = ["Call", "moment_text", "texts"]

T = TypeVar("T")

LOG_LEVELS = ("debug", "info", "warn", "error")

_events = TypeAdapter(list[Event])
_logs = TypeAdapter(list[LogEntry])
_tasks = TypeAdapter(list[TaskView])
_children = TypeAdapter(list[ChildRun])


class Call(NamedTuple, Generic[T]):
    """An operation with its values, and the function that reads the answer."""

    operation: str
    values: dict[str, Any]
    read: Callable[[Any], T]

    def ask(self, transport: Transport) -> T:
        """The answer, of a blocking transport."""
        return self.read(transport.call(self.operation, **self.values))

    async def ask_async(self, transport: Transport) -> T:
        """The answer, awaited."""
        return self.read(await transport.call_async(self.operation, **self.values))


def list_runs(filters: Mapping[str, Any], cursor: str | None) -> Call[RunPage]:
    values = dict(filters)
    if cursor is not None:
        values["cursor"] = cursor
    return Call("runs.list", values, RunPage.model_validate)


def run_filters(
    *,
    status: str | Iterable[str] | None,
    task: str | Iterable[str] | None,
    version: str | Iterable[str] | None = None,
    tag: str | Iterable[str] | None,
    queue: str | None,
    batch: str | None,
    parent: str | None,
    root: str | None = None,
    schedule: str | None = None,
    since: When | None,
    until: When | None,
    period: Duration | None = None,
    search: str | None,
    error: str | None = None,
    limit: int,
) -> dict[str, Any]:
    """The filters of a list as plain values. Lengths of time count back from now."""
    if not 1 <= limit <= 100:
        raise InvalidOptions(f"limit must be from 1 to 100 runs a page, got {limit}; iterate to read further pages")
    values: dict[str, Any] = {
        "status": [_status(name) for name in texts(status)],
        "task": texts(task),
        "version": texts(version),
        "tag": texts(tag),
        "queue": queue,
        "batch": batch,
        "parent": parent,
        "root": root,
        "schedule": schedule,
        "since": moment_text(since, "since"),
        "until": moment_text(until, "until"),
        "period": None if period is None else f"{parse_duration(period, 'period')}ms",
        "search": search,
        "error": error,
        "limit": limit,
    }
    return {name: value for name, value in values.items() if value not in (None, [])}


def retrieve_run(run_id: str) -> Call[RunDetail]:
    return Call("runs.retrieve", {"id": run_id}, RunDetail.model_validate)


def cancel_run(run_id: str, reason: str) -> Call[Status]:
    return Call("runs.cancel", {"id": run_id, "reason": reason}, lambda answer: Status(answer["status"]))


def result_of_run(run_id: str) -> Call[RunOutcome]:
    return Call("runs.result", {"id": run_id}, RunOutcome.model_validate)


def events_of_run(run_id: str) -> Call[list[Event]]:
    return Call("runs.events", {"id": run_id}, lambda answer: _events.validate_python(answer["items"]))


def children_of_run(run_id: str) -> Call[list[ChildRun]]:
    return Call("runs.children", {"id": run_id}, lambda answer: _children.validate_python(answer["items"]))


def trace_of_run(run_id: str) -> Call[TraceSpan]:
    return Call("runs.trace", {"id": run_id}, TraceSpan.model_validate)


def logs_of_run(run_id: str, level: str | None, after: int | None, limit: int) -> Call[list[LogEntry]]:
    if level is not None and level not in LOG_LEVELS:
        raise InvalidOptions(f"level must be one of {', '.join(LOG_LEVELS)}, got {level!r}")
    values: dict[str, Any] = {"id": run_id, "limit": limit}
    if level is not None:
        values["level"] = level
    if after is not None:
        values["after"] = after
    return Call("runs.logs", values, lambda answer: _logs.validate_python(answer["items"]))


def list_tasks() -> Call[list[TaskView]]:
    return Call("tasks.list", {}, lambda answer: _tasks.validate_python(answer["items"]))


def retrieve_task(task_id: str) -> Call[TaskView]:
    return Call("tasks.retrieve", {"id": task_id}, TaskView.model_validate)


def health() -> Call[Health]:
    return Call("health", {}, Health.model_validate)


def texts(value: str | Iterable[str] | None) -> list[str]:
    """One text or several, as a list."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _status(name: str) -> str:
    try:
        return Status(name.upper()).value
    except ValueError:
        from ..errors import near_names

        raise InvalidOptions(near_names("status", name.upper(), [status.value for status in Status])) from None


def moment_text(value: When | None, name: str) -> str | None:
    """A moment as ISO-8601 text; a length of time is read as "so long ago"."""
    if value is None:
        return None
    now = int(datetime.now(UTC).timestamp() * 1000)
    ms = parse_when(value, now, name)
    if ms > now and not isinstance(value, datetime) and not _is_date(value):
        ms = now - (ms - now)
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def _is_date(value: When) -> bool:
    return isinstance(value, str) and ("T" in value or value.count("-") >= 2)
