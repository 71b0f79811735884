"""What clients can ask about the errors of an environment. Answers are plain JSON values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ..errors import InvalidOptions, NotFound, near_names
from ..model.duration import parse_when
from . import views
from .engine import Engine
from .error_groups import shown_status
from .error_lists import ERROR_STATUSES, ErrorFilter, page_of_errors
from .queries import Moment, PageSize, moment, several, whole

__all__ = ["ErrorOperations"]

#: Most groups of a page, and tasks shown with a group.
PAGE, TASKS = 100, 100
#: Most failures that a group can be ignored for.
_MOST = 10**9

#: Checked here, where near names can be given.
ErrorStatusName = Annotated[str, Meta(extra_json_schema={"enum": list(ERROR_STATUSES)})]
ErrorCursor = Annotated[str, Meta(extra_json_schema={"pattern": "^[0-9]{1,18}-[0-9]{1,18}$"})]
Occurrences = Annotated[int, Meta(ge=1, le=_MOST)]

_decode = msgspec.json.decode


class ErrorOperations:
    """The operations on the error groups of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The operations by the names that transports use."""
        return {
            "errors.list": self.list,
            "errors.retrieve": self.retrieve,
            "errors.resolve": self.resolve,
            "errors.ignore": self.ignore,
            "errors.unresolve": self.unresolve,
        }

    def list(
        self,
        *,
        status: Sequence[ErrorStatusName] = (),
        task: Sequence[str] = (),
        search: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: PageSize = 25,
        cursor: ErrorCursor | None = None,
    ) -> dict[str, Any]:
        """A page of error groups, latest seen first. `since`, `until`: last seen; ISO-8601 with a zone."""
        now = self._engine.clock.now()
        wanted = ErrorFilter(
            status=_statuses(several(status)),
            task=several(task),
            search=search or None,
            since=moment("since", since),
            until=moment("until", until),
        )
        rows, more = page_of_errors(
            self._engine.store, self._engine.env, now, wanted, limit=whole("limit", limit, 1, PAGE), cursor=cursor
        )
        return {"items": [_summary(row, _decode(row["tasks"]), now) for row in rows], "next_cursor": more}

    def retrieve(self, *, id: str) -> dict[str, Any]:
        """All that is known of a group, with its latest runs. Errors: `NotFound`."""
        store, env, now = self._engine.store, self._engine.env, self._engine.clock.now()
        rows = store.read("find_error_group", env=env, fingerprint=id)
        if not rows:
            raise _unknown(id)
        tasks = store.read("view_error_tasks", env=env, fingerprint=id, n=TASKS)
        runs = store.read("view_error_runs", env=env, fingerprint=id)
        return _summary(rows[0], [row["task"] for row in tasks], now) | {
            "task_counts": {row["task"]: row["count"] for row in tasks},
            "error": views.error_view(runs[0]["error"]) if runs else None,
            "runs": [views.run_summary(row, None, now) for row in runs],
        }

    def resolve(self, *, id: str) -> dict[str, Any]:
        """This has been mended: a failure that comes later reopens it as a regression. Errors: `NotFound`."""
        return self._set(id, "RESOLVED")

    def ignore(self, *, id: str, until: str | None = None, occurrences: Occurrences | None = None) -> dict[str, Any]:
        """Nobody wants to hear of this, for some time, until it came `occurrences` more times, or for good.

        Parameters:
          until: a length of time from now, or a moment. Errors: `NotFound`, `InvalidOptions`.
        """
        now = self._engine.clock.now()
        ends = None if until is None else parse_when(until, now, "until")
        if ends is not None and ends <= now:
            raise InvalidOptions(f"until must be later than now, got {until!r}; leave it out to ignore it for good")
        more = None if occurrences is None else whole("occurrences", occurrences, 1, _MOST)
        return self._set(id, "IGNORED", ends, more)

    def unresolve(self, *, id: str) -> dict[str, Any]:
        """This is open again, whatever was said of it before. Errors: `NotFound`."""
        return self._set(id, "UNRESOLVED")

    def _set(self, id: str, status: str, until: int | None = None, more: int | None = None) -> dict[str, Any]:
        env = self._engine.env
        changed = self._engine.write(
            lambda scene: scene.tx.run(
                "set_error_status", env=env, fingerprint=id, status=status, now=scene.now, until=until, more=more
            )
        )
        if not changed:
            raise _unknown(id)
        return self.retrieve(id=id)


def _summary(row: Any, tasks: Sequence[str], now: int) -> dict[str, Any]:
    status = shown_status(row, now)
    ignored = status == "IGNORED"
    return {
        "id": row["fingerprint"],
        "type": row["type"],
        "message": row["message"],
        "code": row["code"],
        "status": status,
        "count": row["count"],
        "first_seen_at": views.iso(row["first_at"]),
        "last_seen_at": views.iso(row["last_at"]),
        "first_run_id": row["first_run"],
        "last_run_id": row["last_run"],
        "tasks": tasks,
        "resolved_at": views.iso(row["changed_at"]) if status == "RESOLVED" else None,
        "ignored_at": views.iso(row["changed_at"]) if ignored else None,
        "ignored_until": views.iso(row["ignored_until"]) if ignored else None,
        "ignored_until_count": row["ignored_count"] if ignored else None,
        "regressions": row["regressions"],
        "regressed_at": views.iso(row["regressed_at"]),
    }


def _unknown(id: object) -> NotFound:
    return NotFound(f"no error {id!r} in this environment; `detent errors list` shows those that there are")


def _statuses(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in ERROR_STATUSES:
            raise InvalidOptions(near_names("status", name, ERROR_STATUSES))
    return names
