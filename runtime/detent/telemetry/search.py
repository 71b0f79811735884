"""Finding lines over all runs of an environment: in stretches, so that one question never takes long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..model.log_query import LineQuery
from .told import LEVELS

__all__ = ["search_lines"]

#: Lines that are looked at in one statement; when none of a question is asked any more, in seconds.
STRETCH, MOST_S = 100_000, 1.0
#: Clocks of workers differ, and lines arrive in batches: how far a line may stand from where its time says, in
#: milliseconds.
SLACK_MS = 120_000

_COLUMNS = "seq, run_id, task, at, level, message, attributes, span_id, source, attempt"

#: Runs a SELECT; its rows.
Read = Callable[[str, dict[str, Any]], list[dict[str, Any]]]


def search_lines(
    read: Read, query: LineQuery, *, table: str = "lines", stretch: int = STRETCH, most_s: float = MOST_S
) -> tuple[list[dict[str, Any]], int | None]:
    """The next lines that fit, at most `query.limit`, and the seq to go on from; None when all was looked at.

    Fewer lines than the limit may come with a seq to go on from: what fits is rare, and this much was looked at.

    Parameters:
      table: what holds the lines; ``lines`` is SQLite's. `stretch`: lines that one statement looks at.
      most_s: when no other one is begun, in seconds.
    """
    low, high = _bounds(read, query, table)
    if query.after is not None:
        low, high = (max(low, query.after), high) if query.oldest_first else (low, min(high, query.after - 1))
    where, values = _conditions(query, is_sqlite=table == "lines")
    direction = "ASC" if query.oldest_first else "DESC"
    sql = (
        f"SELECT {_COLUMNS} FROM {table} WHERE {where} AND seq > :low AND seq <= :high "  # noqa: S608  # fixed
        f"ORDER BY seq {direction} LIMIT :n"
    )
    rows: list[dict[str, Any]] = []
    ends = time.monotonic() + most_s
    while low < high:
        begin, end = (low, min(high, low + stretch)) if query.oldest_first else (max(low, high - stretch), high)
        wanted = query.limit - len(rows)
        rows += read(sql, values | {"low": begin, "high": end, "n": wanted})
        if len(rows) == query.limit:
            return rows, rows[-1]["seq"]
        low, high = (end, high) if query.oldest_first else (low, begin)
        if time.monotonic() > ends and low < high:
            return rows, low if query.oldest_first else high + 1
    return rows, None


def _conditions(query: LineQuery, *, is_sqlite: bool) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {"env": query.env}
    # One of these leads, by its index; SQLite is kept from the others by a unary plus, PostgreSQL looks for itself.
    plus, like = ("+", "LIKE") if is_sqlite else ("", "ILIKE")
    by_run, by_level = query.run is not None, query.level in {"warn", "error"}
    parts = [f"{plus}env = :env" if by_run else "env = :env"]
    if query.run is not None:
        parts.append("run_id = :run")
        values["run"] = query.run
    if by_level:
        parts.append("level >= 2")
    if query.level not in {None, "debug", "warn"}:
        parts.append(f"{plus}level >= :level")
        values["level"] = LEVELS[str(query.level)]
    if query.task is not None:
        parts.append(f"{plus}task = :task" if by_run or by_level else "task = :task")
        values["task"] = query.task
    if query.text:
        # No part of the text is a pattern.
        escaped = query.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values["text"] = f"%{escaped}%"
        parts.append(f"(message {like} :text ESCAPE '\\' OR attributes {like} :text ESCAPE '\\')")
    for name, comparison in (("since", ">="), ("until", "<")):
        if getattr(query, name) is not None:
            values[name] = getattr(query, name)
            parts.append(f"at {comparison} :{name}")
    return " AND ".join(parts), values


def _bounds(read: Read, query: LineQuery, table: str) -> tuple[int, int]:
    """The seqs between which lines may fit: above the first, up to the second."""
    found = read(f"SELECT max(seq) AS seq FROM {table}", {})  # noqa: S608  # ours
    last = (found[0]["seq"] or 0) if found else 0
    low = 0 if query.since is None else _seq_at(read, table, query.since - SLACK_MS, last) - 1
    high = last if query.until is None else _seq_at(read, table, query.until + SLACK_MS, last)
    return low, min(high, last)


def _seq_at(read: Read, table: str, moment: int, last: int) -> int:
    """About the first seq whose line is of `moment` or later: times grow with seq, but for the slack."""
    low, high = 1, last + 1
    first = f"SELECT seq, at FROM {table} WHERE seq >= :seq ORDER BY seq LIMIT 1"  # noqa: S608  # ours
    while low < high:
        middle = (low + high) // 2
        rows = read(first, {"seq": middle})
        if rows and rows[0]["at"] < moment:
            low = rows[0]["seq"] + 1
        else:
            high = middle
    return low
