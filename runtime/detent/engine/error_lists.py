"""Lists of error groups, latest seen first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ..errors import InvalidOptions
from ..store import Store
from ..store.phrases import phrases

__all__ = ["ERROR_STATUSES", "ErrorFilter", "page_of_errors"]

ERROR_STATUSES = ("UNRESOLVED", "RESOLVED", "IGNORED")

_STATUS = "CASE WHEN g.status = 'IGNORED' AND g.ignored_until <= :now THEN 'UNRESOLVED' ELSE g.status END"

_TASKS = (
    "SELECT task FROM error_tasks t WHERE t.env = g.env AND t.fingerprint = g.fingerprint "
    "ORDER BY t.count DESC, t.task LIMIT 20"
)

_encode = msgspec.json.Encoder().encode


class ErrorFilter(NamedTuple):
    """What a list is limited to; empty and None for all. `search`: text of the type or the message.

    `since`, `until`: last seen from and before, in milliseconds since 1970.
    """

    status: Sequence[str] = ()
    task: Sequence[str] = ()
    search: str | None = None
    since: int | None = None
    until: int | None = None


def page_of_errors(
    store: Store, env: str, now: int, wanted: ErrorFilter, *, limit: int, cursor: str | None
) -> tuple[list[Any], str | None]:
    """One page of rows, and the cursor of the following page, None after the last.

    A group that fails again between two pages moves to the front, and so does not come again.
    Errors: `InvalidOptions` for a cursor that no page gave.
    """
    before_at, before_seq = _place(cursor)
    say = phrases(store.dialect)
    clauses = ["g.env = :env", "(g.last_at, g.seq) < (:before_at, :before_seq)"]
    if wanted.status:
        clauses.append(f"{_STATUS} {say.is_any_of('statuses')}")
    if wanted.task:
        clauses.append(
            "EXISTS (SELECT 1 FROM error_tasks t WHERE t.env = g.env AND t.fingerprint = g.fingerprint "  # noqa: S608  # fixed parts only
            f"AND t.task {say.is_any_of('tasks')})"
        )
    if wanted.search:
        found = [say.contains(say.lower(column), say.lower(":search")) for column in ("g.message", "g.type")]
        clauses.append(f"({' OR '.join(found)})")
    if wanted.since is not None:
        clauses.append("g.last_at >= :since")
    if wanted.until is not None:
        clauses.append("g.last_at < :until")
    sql = (
        f"SELECT g.*, {say.json_list('task', _TASKS)} AS tasks "  # noqa: S608  # fixed parts only
        f"FROM error_groups g WHERE {' AND '.join(clauses)} ORDER BY g.last_at DESC, g.seq DESC LIMIT :n"
    )
    rows = store.read_sql(
        sql,
        {
            "env": env,
            "now": now,
            "before_at": before_at,
            "before_seq": before_seq,
            "statuses": _encode(wanted.status).decode(),
            "tasks": _encode(wanted.task).decode(),
            "search": wanted.search,
            "since": wanted.since,
            "until": wanted.until,
            "n": limit + 1,
        },
    )
    more = len(rows) > limit
    return rows[:limit], f"{rows[limit - 1]['last_at']}-{rows[limit - 1]['seq']}" if more else None


def _place(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return 2**62, 2**62
    at, _, seq = cursor.partition("-")
    if not (cursor.isascii() and at.isdigit() and seq.isdigit() and max(len(at), len(seq)) < 19):
        raise InvalidOptions(f"cursor must be the next_cursor of another page, got {cursor!r}")
    return int(at), int(seq)
