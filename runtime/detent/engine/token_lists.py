"""Lists of tokens, newest first, in pages that stay where they are while tokens arrive."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ..store import Store
from ..store.phrases import Phrases, phrases

__all__ = ["TOKEN_STATUSES", "page_of_tokens", "token_status"]

TOKEN_STATUSES = ("WAITING", "COMPLETED", "TIMED_OUT")

_COLUMNS = (
    "w.seq, w.id, w.status, w.due_at, w.tags, w.idempotency_key, w.run_id, w.created_at, w.completed_at, "
    "{waiting_runs} AS waiting_runs"
)
_WAITING_RUNS = "SELECT DISTINCT run_id FROM waits WHERE waitpoint_id = w.id ORDER BY run_id LIMIT 100"
_STATUS = "CASE WHEN w.status = 'WAITING' AND w.due_at <= :now THEN 'TIMED_OUT' ELSE w.status END"


class _Lead(NamedTuple):
    """A range of an index that ends in seq: what a part of the list is read from."""

    source: str
    value: str | None = None
    key: str = "w.seq"


def token_status(row: Any, now: int) -> str:
    """The status of a token: one whose time has passed has timed out, also while nobody has noted it."""
    due = row["status"] == "WAITING" and row["due_at"] is not None and row["due_at"] <= now
    return "TIMED_OUT" if due else str(row["status"])


def page_of_tokens(
    store: Store,
    env: str,
    now: int,
    *,
    status: Sequence[str],
    tag: Sequence[str],
    key: str | None,
    limit: int,
    before: int | None,
) -> tuple[list[Any], int | None]:
    """One page of rows, and the seq to go on before, None after the last.

    Parameters:
      status, tag: any of them; empty for all. `key`: an idempotency key as it is kept.
      limit: rows of the page. `before`: only tokens whose seq is lower.
    """
    wanted = tuple(dict.fromkeys(status)) or TOKEN_STATUSES
    values = {
        "env": env,
        "now": now,
        "statuses": msgspec.json.encode(wanted).decode(),
        "before": 2**62 if before is None else before,
        "key": key,
        "n": limit + 1,
    }
    say = phrases(store.dialect)
    found = [_range(store, say, lead, values) for lead in _leads(say, wanted, tag, key)]
    rows = list({row["seq"]: row for row in heapq.merge(*found, key=lambda row: -row["seq"])}.values())
    return rows[:limit], rows[limit - 1]["seq"] if len(rows) > limit else None


def _leads(say: Phrases, wanted: Sequence[str], tag: Sequence[str], key: str | None) -> list[_Lead]:
    if tag:
        within = "t.env = :env AND t.tag = :value AND t.seq < :before"
        source = say.tagged("waitpoint_tags", "waitpoints w", within)
        return [_Lead(source, each, "t.seq") for each in dict.fromkeys(tag)]
    if key is not None:
        return [_Lead("waitpoints w WHERE w.env = :env AND w.idempotency_key = :key AND w.seq < :before")]
    of_status = "waitpoints w WHERE w.env = :env AND w.kind = 'token' AND w.status = :value AND w.seq < :before"
    leads = [_Lead(of_status, status) for status in wanted]
    if "TIMED_OUT" in wanted and "WAITING" not in wanted:
        of_env = f"{say.aside('w.env')} = :env AND w.seq < :before"
        leads.append(_Lead(f"waitpoints w WHERE w.status = 'WAITING' AND w.due_at <= :now AND {of_env}"))
    return leads


def _range(store: Store, say: Phrases, lead: _Lead, values: dict[str, Any]) -> list[Any]:
    columns = _COLUMNS.format(waiting_runs=say.json_list("run_id", _WAITING_RUNS))
    sql = (
        f"SELECT {columns} FROM {lead.source} "  # noqa: S608  # fixed parts only
        f"AND {say.aside('w.kind')} = 'token' AND {_STATUS} {say.is_any_of('statuses')} "
        "AND (CAST(:key AS TEXT) IS NULL OR w.idempotency_key = :key) "
        f"ORDER BY {say.newest(lead.key)} LIMIT :n"
    )
    return store.read_sql(sql, values | {"value": lead.value})
