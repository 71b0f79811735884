"""Lists of runs, newest first, in pages that stay where they are while runs arrive.

Each filter has an index that ends in `seq`. The filter that fits the fewest runs leads; the others are checked on the
rows that it brings. A filter of several values reads one such index range for each and merges them, in one statement.

A page looks at a bounded number of rows: where few of them fit, it is shorter than asked for, or empty, and the next
one goes on where it stopped. So no page is slow, whatever is looked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import msgspec

from ..model.status import Status
from ..store import Store
from ..store.phrases import Phrases, phrases
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
#: Leads that share them, at most.
_SHARES = 8
#: What is the same in a text and in the JSON of that text.
_PLAIN = re.compile(r"[^\x00-\x1f\x7f-\U0010ffff\"\\:]+")


@dataclass(frozen=True, slots=True)
class _Lead:
    """A range of an index in the order of seq.

    `equals`: the columns of the index before seq, and what they equal: ``env``, or ``value``, which is `value`. `only`:
    what else says which index it is. `check`: what its rows must fulfil besides.
    """

    name: str
    equals: tuple[tuple[str, str], ...]
    value: str | None = None
    only: str = ""
    check: str = ""

    @property
    def is_tag(self) -> bool:
        return self.name == "tag"

    @property
    def key(self) -> str:
        return "t.seq" if self.is_tag else "r.seq"

    @property
    def table(self) -> str:
        return "run_tags t" if self.is_tag else "runs r"

    def where(self, place: int) -> str:
        """The range. `place`: its number among the leads of a statement, which its values are named with."""
        equal = [f"{column} = :{value}" for column, value in self.equals]
        only = [self.only] if self.only else []
        return _at(place, " AND ".join([*equal, *only, f"{self.key} > :low", f"{self.key} < :high"]))


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
    values["each"] = limit + 1
    values["n"] = (limit + 1) * len(leads)
    columns = ", ".join(f"r.{name.strip()} AS {name.strip()}" for name in COLUMNS.split(",")[1:])
    say = phrases(store.dialect)
    parts = [_part(say, f"{lead.key} AS seq, {columns}", lead, n, checks) for n, lead in enumerate(leads)]
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
    values["each"] = most
    say = phrases(store.dialect)
    parts = [_part(say, "r.seq", lead, place, checks) for place, lead in enumerate(leads)]
    sql = f"SELECT count(*) AS n FROM (SELECT * FROM ({' UNION '.join(parts)}) AS found LIMIT :n) AS counted"  # noqa: S608  # fixed parts only
    n: int = store.read_sql(sql, values)[0]["n"]
    return n


def _plan(store: Store, env: str, wanted: RunFilter, values: dict[str, Any]) -> tuple[list[_Lead], list[str]]:
    """The leads, and what the rows of each must fulfil besides; `values` gets what these compare with."""
    conditions = _conditions(phrases(store.dialect), wanted, values)
    leads, led = _leads(store, env, wanted)
    values |= _named(leads)
    return leads, [sql for name, sql in conditions if name != led]


def _named(leads: Sequence[_Lead]) -> dict[str, Any]:
    """The values of `leads` by the names that they have in a statement; see `_at`."""
    return {f"value{place}": lead.value for place, lead in enumerate(leads)}


def _at(place: int, sql: str) -> str:
    return sql.replace(":value", f":value{place}")


def _part(say: Phrases, columns: str, lead: _Lead, place: int, checks: Sequence[str]) -> str:
    """The SELECT of the lead at `place`; of no more rows than ``:each`` where that says less work."""
    within = lead.where(place)
    source = say.tagged("run_tags", "runs r", within) if lead.is_tag else f"runs r WHERE {within}"
    conditions = [source, *checks, *([_at(place, lead.check)] if lead.check else [])]
    return say.part(f"SELECT {columns} FROM {' AND '.join(conditions)}", say.newest(lead.key), ":each")  # noqa: S608  # fixed parts only


def _floor(store: Store, leads: Sequence[_Lead], checks: Sequence[str], values: Mapping[str, Any]) -> int | None:
    """The seq above which the leads bring about `_LOOKED_AT` rows; None where it need not be minded."""
    say = phrases(store.dialect)
    # Where nothing is checked, each row that it brings fits.
    bounded = [(place, lead) for place, lead in enumerate(leads) if lead.equals and (checks or lead.check)]
    if not bounded:
        return None
    # Some of many leads bring nothing.
    each = _LOOKED_AT // min(len(bounded), _SHARES)
    floors = [
        f"(SELECT {lead.key} FROM {lead.table} WHERE {lead.where(place)} "  # noqa: S608  # fixed parts only
        f"ORDER BY {say.newest(lead.key)} LIMIT 1 OFFSET {each}) AS f{place}"
        for place, lead in bounded
    ]
    [found] = store.read_sql("SELECT " + ", ".join(floors), values)
    return max((floor for floor in found if floor is not None), default=None)


def _leads(store: Store, env: str, wanted: RunFilter) -> tuple[list[_Lead], str]:
    """The filter that leads, as one lead for each of its values, and its name."""
    say = phrases(store.dialect)
    choices: list[list[_Lead]] = []
    for name, column in _COLUMN_OF.items():
        value = getattr(wanted, name)
        if value is not None and name != "queue":
            choices.append([_lead_of_column(say, name, column, value)])
    if wanted.tag:
        choices.append([_Lead("tag", (("t.env", "env"), ("t.tag", "value")), tag) for tag in wanted.tag])
    if wanted.search is not None:
        # A search always leads: it has no condition that could be checked row by row.
        return _search_leads(store, env, wanted.search), "search"
    if wanted.status:
        choices.append([_status_lead(status) for status in dict.fromkeys(wanted.status)])
    if wanted.task:
        choices.append([_lead_of_env("task", "task", task) for task in wanted.task])
    if wanted.version:
        choices.append([_lead_of_env("version", "version", each) for each in wanted.version])
    if wanted.queue is not None:
        choices.append([_lead_of_column(say, "queue", "queue", wanted.queue)])
    if wanted.error is not None:
        choices.append([_Lead("error", _ENV, only="r.error IS NOT NULL", check=_has_error(say))])
    if not choices:
        # Not by seq alone: a small environment would have to be looked for among the runs of a large one.
        return [_lead_of_env("all", "state", state) for state in _STATES], "all"
    best = choices[0]
    if len(choices) > 1:
        best = min(zip(_sizes(store, env, choices), choices, strict=True), key=itemgetter(0))[1]
    return best, best[0].name


_ENV = (("r.env", "env"),)


def _lead_of_env(name: str, column: str, value: str, *, check: str = "") -> _Lead:
    return _Lead(name, (*_ENV, (f"r.{column}", "value")), value, check=check)


def _lead_of_column(say: Phrases, name: str, column: str, value: str) -> _Lead:
    return _Lead(name, ((f"r.{column}", "value"),), value, check=f"{say.aside('r.env')} = :env")


_STATES = [status.value for status in Status if status is not Status.DEQUEUED]


def _sizes(store: Store, env: str, choices: Sequence[Sequence[_Lead]]) -> list[int]:
    """How many runs the leads of each choice bring together, up to `_MANY`."""
    say = phrases(store.dialect)
    leads = [lead for choice in choices for lead in choice]
    parts = iter(
        say.part(f"SELECT 1 AS one FROM {lead.table} WHERE {lead.where(place)}", say.newest(lead.key), str(_MANY))  # noqa: S608  # fixed parts only
        for place, lead in enumerate(leads)
    )
    counts = []
    for place, choice in enumerate(choices):
        found = " UNION ALL ".join(next(parts) for _ in choice)
        counts.append(f"(SELECT count(*) FROM ({found} LIMIT {_MANY}) AS c{place}) AS n{place}")  # noqa: S608  # fixed parts only
    values = {"env": env, "low": -1, "high": 2**62, **_named(leads)}
    return list(store.read_sql(f"SELECT {', '.join(counts)}", values)[0])


def _status_lead(status: str) -> _Lead:
    state, started = _state(status)
    return _lead_of_env("status", "state", state, check=started)


def _state(status: str) -> tuple[str, str]:
    """The stored state of a shown status, and what else must hold."""
    if status == Status.DEQUEUED:
        return Status.EXECUTING.value, "r.attempt_started_at IS NULL"
    if status == Status.EXECUTING:
        return Status.EXECUTING.value, "r.attempt_started_at IS NOT NULL"
    return status, ""


def _has_error(say: Phrases) -> str:
    """Whether type and message of a row's error, as lists show them, hold ``:error``."""
    shown = say.lower(f"{say.field('r.error', 'type')} || ': ' || {say.field('r.error', 'message')}")
    return f"{say.contains(say.lower('r.error'), ':piece')} AND {say.contains(shown, ':error')}"


def _search_leads(store: Store, env: str, text: str) -> list[_Lead]:
    say = phrases(store.dialect)
    text = text.lower()
    check = say.contains(say.lower("r.error"), ":value")
    leads = [_Lead("search", _ENV, text, only="r.error IS NOT NULL", check=check)]
    if text.startswith("run_"):
        ids = "SELECT i.seq FROM runs i WHERE i.id >= :value AND i.id < :value || 'g' LIMIT 500"
        leads.append(_Lead("search", (), text, only=f"r.seq {say.is_in(ids)}", check=f"{say.aside('r.env')} = :env"))
    for row in store.read("view_task_names", env=env, text=text):
        leads.append(_lead_of_env("search", "task", row["task"]))
    return leads


_COLUMN_OF = {
    "queue": "queue",
    "batch": "batch_id",
    "parent": "parent_id",
    "root": "root_id",
    "schedule": "schedule_id",
}


def _conditions(say: Phrases, wanted: RunFilter, values: dict[str, Any]) -> list[tuple[str, str]]:
    """What a row must fulfil, by filter. Its indexes are left to the lead."""
    conditions: list[tuple[str, str]] = []
    for name, column in _COLUMN_OF.items():
        if getattr(wanted, name) is not None:
            values[name] = getattr(wanted, name)
            conditions.append((name, f"{say.aside(f'r.{column}')} = :{name}"))
    for name in ("task", "version"):
        if getattr(wanted, name):
            values[f"{name}s"] = msgspec.json.encode(getattr(wanted, name)).decode()
            conditions.append((name, f"{say.aside(f'r.{name}')} {say.is_any_of(f'{name}s')}"))
    if wanted.tag:
        values["tags"] = msgspec.json.encode(wanted.tag).decode()
        conditions.append(("tag", say.holds_any_of("r.tags", "tags")))
    if wanted.status:
        any_of = []
        for place, status in enumerate(wanted.status):
            values[f"state{place}"], started = _state(status)
            any_of.append(f"({say.aside('r.state')} = :state{place}{f' AND {started}' if started else ''})")
        conditions.append(("status", f"({' OR '.join(any_of)})"))
    if wanted.error is not None:
        values["error"] = wanted.error.lower()
        # A part of it that has to be in the JSON tells most rows apart at once.
        pieces = (piece.strip() for piece in _PLAIN.findall(values["error"]))
        values["piece"] = max(pieces, key=len, default="")
        conditions.append(("error", f"r.error IS NOT NULL AND {_has_error(say)}"))
    if wanted.since is not None:
        values["since"] = wanted.since
        conditions.append(("since", "r.created_at >= :since"))
    if wanted.until is not None:
        values["until"] = wanted.until
        conditions.append(("until", "r.created_at < :until"))
    return conditions


def _bounds(store: Store, wanted: RunFilter, before: int | None) -> tuple[int, int]:
    """The seqs between which the page lies, both excluded."""
    last = store.read("view_last_seq")[0]["seq"] or 0
    low = 0 if wanted.since is None else seq_at(store, wanted.since, last) - 1
    high = last + 1 if wanted.until is None else seq_at(store, wanted.until, last)
    return low, high if before is None else min(high, before)


def seq_at(store: Store, moment: int, last: int) -> int:
    """The first seq whose run was created at `moment` or later; ``last + 1`` when there is none.

    Times grow with seq, so it is found by bisection.
    """
    seq: int = store.read("view_seq_at", moment=moment, last=last)[0]["seq"]
    return seq
