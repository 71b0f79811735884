"""Lists of runs, newest first, in pages that stay where they are while runs arrive.

Each filter has an index that ends in `seq`. The filter that fits the fewest runs leads; the others are
checked on the rows that it brings. A filter of several values reads one such index range for each and
merges them.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ..errors import InvalidOptions
from ..model.status import Status
from ..store import Store

__all__ = ["RunFilter", "page_of_runs"]

#: What a list shows of a run.
COLUMNS = (
    "seq, id, env, task, queue, concurrency_key, state, attempt, max_attempts, version, wake_at, created_at, "
    "queued_at, claimed_at, attempt_started_at, started_at, finished_at, used_ms, error, tags, parent_id, "
    "root_id, batch_id"
)
#: Beyond so many runs of a filter it no longer matters how many there are.
_MANY = 2_000


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs; several values of a field mean any of them. `since` and `until` are milliseconds since
    1970."""

    status: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    queue: str | None = None
    batch: str | None = None
    parent: str | None = None
    since: int | None = None
    until: int | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class _Lead:
    """A range of an index: `source` and `where` of the SELECT, in the order of seq."""

    name: str
    where: str
    value: str | None = None
    source: str = "runs r"


def page_of_runs(
    store: Store, env: str, wanted: RunFilter, limit: int, before: int | None
) -> tuple[list[Any], int | None]:
    """One page of rows with `COLUMNS`, and the seq to go on before, None after the last.

    Parameters:
      limit: rows of the page. `before`: only runs whose seq is lower.
    """
    values: dict[str, Any] = {"env": env, "n": limit + 1}
    rest = _conditions(wanted, values)
    low, high = _bounds(store, wanted, before)
    values |= {"low": low, "high": high}
    leads, led = _leads(store, env, wanted)
    checks = [sql for name, sql in rest if name != led]
    found = [_range(store, lead, checks, values) for lead in leads]
    rows = list(_first(heapq.merge(*found, key=lambda row: -row["seq"]), limit + 1))
    return rows[:limit], rows[limit - 1]["seq"] if len(rows) > limit else None


def _range(store: Store, lead: _Lead, checks: Sequence[str], values: dict[str, Any]) -> list[Any]:
    columns = ", ".join(f"r.{name.strip()} AS {name.strip()}" for name in COLUMNS.split(","))
    key = "t.seq" if lead.source != "runs r" else "r.seq"
    sql = (
        f"SELECT {columns} FROM {lead.source} WHERE {lead.where} AND {key} > :low AND {key} < :high"  # noqa: S608  # fixed parts only
        + "".join(f" AND {check}" for check in checks)
        + f" ORDER BY {key} DESC LIMIT :n"
    )
    return store.read_sql(sql, values | {"value": lead.value})


def _first(rows: Iterator[Any], most: int) -> Iterator[Any]:
    last = None
    for row in rows:
        if row["seq"] != last:
            last = row["seq"]
            yield row
            most -= 1
            if most == 0:
                return


def _leads(store: Store, env: str, wanted: RunFilter) -> tuple[list[_Lead], str]:
    choices: list[list[_Lead]] = []
    if wanted.parent is not None:
        choices.append([_Lead("parent", "r.parent_id = :value", wanted.parent)])
    if wanted.batch is not None:
        choices.append([_Lead("batch", "r.batch_id = :value", wanted.batch)])
    if wanted.tag:
        tagged = "run_tags t CROSS JOIN runs r ON r.seq = t.seq"
        choices.append([_Lead("tag", "t.env = :env AND t.tag = :value", tag, tagged) for tag in wanted.tag])
    if wanted.search is not None:
        choices.append(_search_leads(store, env, wanted.search))
    if wanted.status:
        choices.append([_status_lead(status) for status in dict.fromkeys(wanted.status)])
    if wanted.task:
        choices.append([_Lead("task", "r.env = :env AND r.task = :value", task) for task in wanted.task])
    if wanted.queue is not None:
        choices.append([_Lead("queue", "+r.env = :env AND r.queue = :value", wanted.queue)])
    if not choices:
        return [_Lead("", "+r.env = :env")], ""
    # A search is always the lead: it has no condition that could be checked row by row.
    best = next((leads for leads in choices if leads and leads[0].name == "search"), None)
    if best is None:
        best = choices[0] if len(choices) == 1 else min(choices, key=lambda leads: _size(store, env, leads))
    return best, best[0].name


def _size(store: Store, env: str, leads: Sequence[_Lead]) -> int:
    total = 0
    for lead in leads:
        source = "run_tags t" if lead.name == "tag" else "runs r"
        where = lead.where.partition(" AND r.attempt_started_at")[0]
        sql = f"SELECT count(*) AS n FROM (SELECT 1 FROM {source} WHERE {where} LIMIT {_MANY})"  # noqa: S608  # fixed parts only
        total += store.read_sql(sql, {"env": env, "value": lead.value})[0]["n"]
    return total


def _status_lead(status: str) -> _Lead:
    state, started = _state(status)
    return _Lead("status", f"r.env = :env AND r.state = :value{started}", state)


def _state(status: str) -> tuple[str, str]:
    """The stored state of a shown status, and what else must hold."""
    if status == Status.DEQUEUED:
        return Status.EXECUTING.value, " AND r.attempt_started_at IS NULL"
    if status == Status.EXECUTING:
        return Status.EXECUTING.value, " AND r.attempt_started_at IS NOT NULL"
    return status, ""


def _search_leads(store: Store, env: str, text: str) -> list[_Lead]:
    text = text.lower()
    leads = [_Lead("search", "r.env = :env AND r.error IS NOT NULL AND instr(lower(r.error), :value) > 0", text)]
    if text.startswith("run_"):
        ids = "SELECT i.seq FROM runs i WHERE i.id >= :value AND i.id < :value || 'g' LIMIT 500"
        leads.append(_Lead("search", f"+r.env = :env AND r.seq IN ({ids})", text))
    for row in store.read("view_task_names", env=env, text=text):
        leads.append(_Lead("search", "r.env = :env AND r.task = :value", row["task"]))
    return leads


def _conditions(wanted: RunFilter, values: dict[str, Any]) -> list[tuple[str, str]]:
    """What a row must fulfil, by filter. The unary plus keeps an index for the lead."""
    conditions = [("", "+r.env = :env")]
    for name, column in (("queue", "queue"), ("batch", "batch_id"), ("parent", "parent_id")):
        if getattr(wanted, name) is not None:
            values[name] = getattr(wanted, name)
            conditions.append((name, f"+r.{column} = :{name}"))
    if wanted.task:
        values["tasks"] = msgspec.json.encode(wanted.task).decode()
        conditions.append(("task", "+r.task IN (SELECT value FROM json_each(:tasks))"))
    if wanted.tag:
        values["tags"] = msgspec.json.encode(wanted.tag).decode()
        conditions.append(
            (
                "tag",
                "EXISTS (SELECT 1 FROM json_each(r.tags) x WHERE x.value IN (SELECT value FROM json_each(:tags)))",
            )
        )
    if wanted.status:
        any_of = []
        for place, status in enumerate(wanted.status):
            values[f"state{place}"], started = _state(status)
            any_of.append(f"(+r.state = :state{place}{started})")
        conditions.append(("status", f"({' OR '.join(any_of)})"))
    if wanted.since is not None:
        values["since"] = wanted.since
        conditions.append(("since", "r.created_at >= :since"))
    if wanted.until is not None:
        values["until"] = wanted.until
        conditions.append(("until", "r.created_at < :until"))
    return conditions


def _bounds(store: Store, wanted: RunFilter, before: int | None) -> tuple[int, int]:
    """The seqs between which the page lies, both excluded. Times grow with seq, so they are found by
    bisection."""
    last = store.read("view_last_seq")[0]["seq"] or 0
    low = 0 if wanted.since is None else _seq_at(store, wanted.since, last) - 1
    high = last + 1 if wanted.until is None else _seq_at(store, wanted.until, last)
    return low, high if before is None else min(high, before)


def _seq_at(store: Store, moment: int, last: int) -> int:
    """The first seq whose run was created at `moment` or later; ``last + 1`` when there is none."""
    low, high = 1, last + 1
    while low < high:
        middle = (low + high) // 2
        rows = store.read("view_seq_from", seq=middle)
        if rows and rows[0]["created_at"] < moment:
            low = rows[0]["seq"] + 1
        else:
            high = middle
    return low


def check_status(names: Sequence[str]) -> tuple[str, ...]:
    """Statuses as they are stored and shown. Errors: `InvalidOptions`."""
    known = [status.value for status in Status]
    for name in names:
        if name not in known:
            from ..errors import near_names

            raise InvalidOptions(near_names("status", name, known))
    return tuple(names)
