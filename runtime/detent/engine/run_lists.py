"""Lists of runs, newest first, in pages that stay where they are while runs arrive.

Each filter has an index that ends in `seq`. The filter that fits the fewest runs leads; the others are checked on the
rows that it brings. A filter of several values reads one such index range for each and merges them, in one statement.

A page looks at a bounded number of rows: where few of them fit, it is shorter than asked for, or empty, and the next
one goes on where it stopped. So no page is slow, whatever is looked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ..model.status import Status
from ..store import Store
from .run_filters import RunFilter

__all__ = ["RunFilter", "count_runs", "page_of_runs", "seq_at"]

#: What a list shows of a run.
COLUMNS = (
    "seq, id, env, task, queue, concurrency_key, state, attempt, max_attempts, version, wake_at, created_at, "
    "queued_at, claimed_at, attempt_started_at, started_at, finished_at, used_ms, error, tags, parent_id, "
    "root_id, batch_id, schedule_id"
)
#: Beyond so many runs of a filter it no longer matters how many there are.
_MANY = 2_000
#: Rows of a lead that one page looks at.
_LOOKED_AT = 2_000
#: What `instr` searches of an error: type and message, as lists show them.
_ERROR = "lower(json_extract(r.error, '$.type') || ': ' || json_extract(r.error, '$.message'))"


@dataclass(frozen=True, slots=True)
class _Lead:
    """A range of an index in the order of seq: `source` and `where` of the SELECT. `check`: what its rows must fulfil
    besides. `value`: stands for ``:value`` in both."""

    name: str
    where: str
    value: str | None = None
    source: str = "runs r"
    check: str = ""

    @property
    def key(self) -> str:
        return "r.seq" if self.source == "runs r" else "t.seq"


def page_of_runs(
    store: Store, env: str, wanted: RunFilter, limit: int, before: int | None
) -> tuple[list[Any], int | None]:
    """One page of rows with `COLUMNS`, and the seq to go on before, None after the last.

    Parameters:
      limit: rows of the page. `before`: only runs whose seq is lower.
    """
    values: dict[str, Any] = {"env": env}
    leads, checks = _plan(store, env, wanted, values)
    values["low"], values["high"] = _bounds(store, wanted, before)
    floor = _floor(store, leads, checks, values)
    if floor is not None:
        values["low"] = floor
    # A run may fit several of the leads.
    values["n"] = (limit + 1) * len(leads)
    columns = ", ".join(f"r.{name.strip()} AS {name.strip()}" for name in COLUMNS.split(",")[1:])
    parts = [_select(f"{lead.key} AS seq, {columns}", lead, n, checks, values) for n, lead in enumerate(leads)]
    sql = " UNION ALL ".join(parts) + " ORDER BY seq DESC LIMIT :n"
    rows = list({row["seq"]: row for row in store.read_sql(sql, values)}.values())
    if len(rows) > limit:
        return rows[:limit], rows[limit - 1]["seq"]
    return rows, None if floor is None else floor + 1


def count_runs(store: Store, env: str, wanted: RunFilter, before: int, most: int) -> int:
    """How many runs with a lower seq than `before` fit; `most` where there are so many or more."""
    values: dict[str, Any] = {"env": env, "n": most}
    leads, checks = _plan(store, env, wanted, values)
    values["low"], values["high"] = _bounds(store, wanted, before)
    parts = [_select("r.seq", lead, place, checks, values) for place, lead in enumerate(leads)]
    sql = f"SELECT count(*) AS n FROM (SELECT * FROM ({' UNION '.join(parts)}) LIMIT :n)"  # noqa: S608  # fixed parts only
    n: int = store.read_sql(sql, values)[0]["n"]
    return n


def _plan(store: Store, env: str, wanted: RunFilter, values: dict[str, Any]) -> tuple[list[_Lead], list[str]]:
    """The leads, and what the rows of each must fulfil besides; `values` gets what these compare with."""
    conditions = _conditions(wanted, values)
    leads, led = _leads(store, env, wanted)
    return leads, [sql for name, sql in conditions if name != led]


def _select(columns: str, lead: _Lead, place: int, checks: Sequence[str], values: dict[str, Any]) -> str:
    """The SELECT of the lead at `place`, whose value `values` gets."""
    conditions = [
        lead.where,
        f"{lead.key} > :low",
        f"{lead.key} < :high",
        *checks,
        *([lead.check] if lead.check else []),
    ]
    values[f"value{place}"] = lead.value
    return f"SELECT {columns} FROM {lead.source} WHERE {' AND '.join(conditions)}".replace(":value", f":value{place}")  # noqa: S608  # fixed parts only


def _floor(store: Store, leads: Sequence[_Lead], checks: Sequence[str], values: Mapping[str, Any]) -> int | None:
    """The seq above which each lead brings at most `_LOOKED_AT` rows; None where it need not be minded."""
    floors = []
    for lead in leads:
        if not checks and not lead.check and "+r.env" not in lead.where:
            continue  # each row that it brings fits
        source = lead.source.partition(" ")[0] + " " + lead.key[0]
        where = lead.where.replace("+r.env = :env AND ", "") if source == "runs r" else lead.where
        sql = (
            f"SELECT {lead.key} AS seq FROM {source} WHERE {where} AND {lead.key} > :low AND {lead.key} < :high "  # noqa: S608  # fixed parts only
            f"ORDER BY {lead.key} DESC LIMIT 1 OFFSET {_LOOKED_AT}"
        )
        floors += [row["seq"] for row in store.read_sql(sql, {**values, "value": lead.value})]
    return max(floors, default=None)


def _leads(store: Store, env: str, wanted: RunFilter) -> tuple[list[_Lead], str]:
    """The filter that leads, as one lead for each of its values, and its name."""
    choices: list[list[_Lead]] = []
    if wanted.parent is not None:
        choices.append([_Lead("parent", "+r.env = :env AND r.parent_id = :value", wanted.parent)])
    if wanted.root is not None:
        choices.append([_Lead("root", "+r.env = :env AND r.root_id = :value", wanted.root)])
    if wanted.batch is not None:
        choices.append([_Lead("batch", "+r.env = :env AND r.batch_id = :value", wanted.batch)])
    if wanted.schedule is not None:
        choices.append([_Lead("schedule", "+r.env = :env AND r.schedule_id = :value", wanted.schedule)])
    if wanted.tag:
        tagged = "run_tags t CROSS JOIN runs r ON r.seq = t.seq"
        choices.append([_Lead("tag", "t.env = :env AND t.tag = :value", tag, tagged) for tag in wanted.tag])
    if wanted.search is not None:
        # A search always leads: it has no condition that could be checked row by row.
        return _search_leads(store, env, wanted.search), "search"
    if wanted.status:
        choices.append([_status_lead(status) for status in dict.fromkeys(wanted.status)])
    if wanted.task:
        choices.append([_Lead("task", "r.env = :env AND r.task = :value", task) for task in wanted.task])
    if wanted.version:
        choices.append([_Lead("version", "r.env = :env AND r.version = :value", each) for each in wanted.version])
    if wanted.queue is not None:
        choices.append([_Lead("queue", "+r.env = :env AND r.queue = :value", wanted.queue)])
    if wanted.error is not None:
        check = f"instr({_ERROR}, :value) > 0"
        choices.append([_Lead("error", "r.env = :env AND r.error IS NOT NULL", wanted.error.lower(), check=check)])
    if not choices:
        # Not by seq alone: a small environment would have to be looked for among the runs of a large one.
        return [_Lead("all", "r.env = :env AND r.state = :value", state) for state in _STATES], "all"
    best = choices[0] if len(choices) == 1 else min(choices, key=lambda leads: _size(store, env, leads))
    return best, best[0].name


_STATES = [status.value for status in Status if status is not Status.DEQUEUED]


def _size(store: Store, env: str, leads: Sequence[_Lead]) -> int:
    total = 0
    for lead in leads:
        source = "run_tags t" if lead.name == "tag" else "runs r"
        where = lead.where.replace("+r.env = :env AND ", "")
        sql = f"SELECT count(*) AS n FROM (SELECT 1 FROM {source} WHERE {where} LIMIT {_MANY})"  # noqa: S608  # fixed parts only
        total += store.read_sql(sql, {"env": env, "value": lead.value})[0]["n"]
    return total


def _status_lead(status: str) -> _Lead:
    state, started = _state(status)
    return _Lead("status", "r.env = :env AND r.state = :value", state, check=started)


def _state(status: str) -> tuple[str, str]:
    """The stored state of a shown status, and what else must hold."""
    if status == Status.DEQUEUED:
        return Status.EXECUTING.value, "r.attempt_started_at IS NULL"
    if status == Status.EXECUTING:
        return Status.EXECUTING.value, "r.attempt_started_at IS NOT NULL"
    return status, ""


def _search_leads(store: Store, env: str, text: str) -> list[_Lead]:
    text = text.lower()
    check = "instr(lower(r.error), :value) > 0"
    leads = [_Lead("search", "r.env = :env AND r.error IS NOT NULL", text, check=check)]
    if text.startswith("run_"):
        ids = "SELECT i.seq FROM runs i WHERE i.id >= :value AND i.id < :value || 'g' LIMIT 500"
        leads.append(_Lead("search", f"+r.env = :env AND r.seq IN ({ids})", text))
    for row in store.read("view_task_names", env=env, text=text):
        leads.append(_Lead("search", "r.env = :env AND r.task = :value", row["task"]))
    return leads


_COLUMN_OF = {
    "queue": "queue",
    "batch": "batch_id",
    "parent": "parent_id",
    "root": "root_id",
    "schedule": "schedule_id",
}


def _conditions(wanted: RunFilter, values: dict[str, Any]) -> list[tuple[str, str]]:
    """What a row must fulfil, by filter. The unary plus keeps an index for the lead."""
    conditions: list[tuple[str, str]] = []
    for name, column in _COLUMN_OF.items():
        if getattr(wanted, name) is not None:
            values[name] = getattr(wanted, name)
            conditions.append((name, f"+r.{column} = :{name}"))
    for name in ("task", "version"):
        if getattr(wanted, name):
            values[f"{name}s"] = msgspec.json.encode(getattr(wanted, name)).decode()
            conditions.append((name, f"+r.{name} IN (SELECT value FROM json_each(:{name}s))"))  # noqa: S608  # a fixed name
    if wanted.tag:
        values["tags"] = msgspec.json.encode(wanted.tag).decode()
        any_tag = "SELECT 1 FROM json_each(r.tags) x WHERE x.value IN (SELECT value FROM json_each(:tags))"
        conditions.append(("tag", f"EXISTS ({any_tag})"))
    if wanted.status:
        any_of = []
        for place, status in enumerate(wanted.status):
            values[f"state{place}"], started = _state(status)
            any_of.append(f"(+r.state = :state{place}{f' AND {started}' if started else ''})")
        conditions.append(("status", f"({' OR '.join(any_of)})"))
    if wanted.error is not None:
        values["error"] = wanted.error.lower()
        conditions.append(("error", f"r.error IS NOT NULL AND instr({_ERROR}, :error) > 0"))
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
    low = 0 if wanted.since is None else seq_at(store, wanted.since, last) - 1
    high = last + 1 if wanted.until is None else seq_at(store, wanted.until, last)
    return low, high if before is None else min(high, before)


def seq_at(store: Store, moment: int, last: int) -> int:
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
