"""What clients can ask about work on many runs. Answers are plain JSON values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from inspect import signature
from typing import Any, Literal

import msgspec

from ..errors import InvalidOptions, LimitExceeded, NotFound, near_names
from ..model.ids import is_id, new_id
from ..model.limits import BULK_IDS, NAME_CHARS
from ..model.status import FINAL
from .bulk import ACTIONS, OPEN
from .engine import Engine
from .queries import Cursor, PageSize, whole
from .run_filters import RunFilter, read_filter, renamed
from .run_lists import count_runs, page_of_runs
from .views import iso, run_summary

__all__ = ["BulkOperations"]

#: Most bulk actions of a page, and examples of what one would handle.
PAGE, EXAMPLES = 100, 5
#: Runs are counted up to here before the work begins.
COUNTED = 100_000
#: Characters of a reason.
_REASON = 1_000

_FILTERS = tuple(name for name in signature(read_filter).parameters if name != "now")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.decode


class BulkOperations:
    """Cancel and replay of many runs of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.by_name: dict[str, Callable[..., Any]] = {
            "bulk.create": self.create,
            "bulk.list": self.list,
            "bulk.retrieve": self.retrieve,
            "bulk.abort": self.abort,
        }

    def create(
        self,
        *,
        action: Literal["cancel", "replay"],
        filter: dict[str, Any] | None = None,
        ids: Sequence[str] | None = None,
        name: str = "",
        reason: str = "",
        dry_run: bool = False,
        id: str | None = None,
    ) -> dict[str, Any]:
        """Cancel or replay many runs in the background: those that fit `filter` now, or those of `ids`.

        `filter` has the filters of a list of runs, at least one. `reason` is kept with the runs that are cancelled.
        `dry_run` says how many there are, with examples, and does nothing. `id`, made by the caller, lets the call be
        made again when its answer was lost.
        """
        if action not in ACTIONS:
            raise InvalidOptions(near_names("bulk action", str(action), ACTIONS))
        if (filter is None) == (ids is None):
            raise InvalidOptions("give either filter or ids: which runs are meant")
        for what, text, most in (("name", name, NAME_CHARS), ("reason", reason, _REASON)):
            if not isinstance(text, str) or len(text) > most:
                raise InvalidOptions(f"{what} must be a text of at most {most:,} characters")
        if id is not None and not is_id("bulk", id):
            raise InvalidOptions(f"id must be one that was made for a bulk action, bulk_…, got {id!r}; leave it out")
        wanted = None if filter is None else self._wanted(action, filter)
        last_seq = self._engine.store.read("view_last_seq")[0]["seq"] or 0
        if wanted is None:
            listed = _ids(ids)
            expected = len(listed)
        else:
            listed = None
            expected = count_runs(self._engine.store, self._engine.env, wanted, last_seq + 1, COUNTED)
        values = {
            "id": id or new_id("bulk", self._engine.clock.now()),
            "action": action,
            "name": name,
            "reason": reason,
            "wanted": None if wanted is None else _encode(wanted).decode(),
            "ids": None if listed is None else _encode(listed).decode(),
            "last_seq": last_seq,
            "expected": expected,
        }
        if dry_run:
            return _preview(values, self._engine.clock.now()) | {"examples": self._examples(wanted, listed)}
        return _view(self._engine.begin_bulk(values))

    def list(self, *, limit: PageSize = 25, cursor: Cursor | None = None) -> dict[str, Any]:
        """Bulk actions, newest first."""
        n = whole("limit", limit, 1, PAGE)
        before = 2**62 if cursor is None else whole("cursor", cursor, 1, 2**62)
        rows = self._engine.store.read("view_bulk_actions", env=self._engine.env, before=before, n=n + 1)
        more = str(rows[n - 1]["seq"]) if len(rows) > n else None
        return {"items": [_view(row) for row in rows[:n]], "next_cursor": more}

    def retrieve(self, *, id: str) -> dict[str, Any]:
        """How far a bulk action has come."""
        rows = self._engine.store.read("find_bulk_action", id=id, env=self._engine.env)
        if not rows:
            raise NotFound(f"no bulk action {id!r} in this project; list them with `detent runs bulk list`")
        return _view(rows[0])

    def abort(self, *, id: str) -> dict[str, Any]:
        """Handle no more runs. What is done stays done."""
        return _view(self._engine.abort_bulk(id))

    def _wanted(self, action: str, given: Mapping[str, Any]) -> RunFilter:
        if not isinstance(given, Mapping):
            raise InvalidOptions(f"filter must be an object with the filters of a list of runs, got {given!r}")
        named = {name: value for name, value in renamed(given).items() if value not in (None, "", [], ())}
        for name in named:
            if name not in _FILTERS:
                raise InvalidOptions(near_names("filter", name, _FILTERS))
        if not named:
            raise InvalidOptions(f"filter must say which runs, by at least one of: {', '.join(_FILTERS)}")
        for name, value in named.items():
            if not (isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))):
                raise InvalidOptions(f"filter.{name} must be a text or a list of texts, got {value!r}")
        wanted = read_filter(self._engine.clock.now(), **named)
        if action == "replay":
            return wanted
        open_ones = tuple(status for status in wanted.status or OPEN if status not in FINAL)
        if not open_ones:
            raise InvalidOptions(f"runs that are {', '.join(wanted.status)} have ended, so they cannot be cancelled")
        return replace(wanted, status=open_ones)

    def _examples(self, wanted: RunFilter | None, ids: Sequence[str] | None) -> Sequence[Any]:
        store, env = self._engine.store, self._engine.env
        if wanted is not None:
            rows, more = page_of_runs(store, env, wanted, EXAMPLES, None)
            while len(rows) < EXAMPLES and more is not None:
                further, more = page_of_runs(store, env, wanted, EXAMPLES - len(rows), more)
                rows += further
        else:
            found = [row for run_id in (ids or ())[:EXAMPLES] for row in store.read("find_run", id=run_id)]
            rows = [row for row in found if row["env"] == env]
        now = self._engine.clock.now()
        return [run_summary(row, None, now) for row in rows]


def _ids(ids: Any) -> Sequence[str]:
    if not isinstance(ids, list | tuple) or not ids:
        raise InvalidOptions("ids must be a list of ids of runs, at least one")
    if len(ids) > BULK_IDS:
        raise LimitExceeded(f"a bulk action takes at most {BULK_IDS:,} ids, got {len(ids):,}; use a filter or several")
    for run_id in ids:
        if not isinstance(run_id, str) or not is_id("run", run_id):
            raise InvalidOptions(f"{run_id!r} is no id of a run")
    return tuple(dict.fromkeys(ids))


def _preview(values: Mapping[str, Any], now: int) -> dict[str, Any]:
    counts = {"succeeded": 0, "failed": 0, "skipped": 0, "problems": "[]", "created_at": now, "ended_at": None}
    return _view({**values, **counts, "id": "", "status": "DRY_RUN"})


def _view(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "action": row["action"],
        "status": row["status"],
        "name": row["name"],
        "reason": row["reason"],
        "filter": None if row["wanted"] is None else _shown(_decode(row["wanted"])),
        "expected": row["expected"],
        "total": row["succeeded"] + row["failed"] + row["skipped"],
        "succeeded": row["succeeded"],
        "failed": row["failed"],
        "skipped": row["skipped"],
        "problems": _decode(row["problems"]),
        "created_at": iso(row["created_at"]),
        "ended_at": iso(row["ended_at"]),
    }


def _shown(wanted: dict[str, Any]) -> dict[str, Any]:
    """The filter as it is given to a list of runs: without what it leaves open, with moments as text."""
    empty = asdict(RunFilter())
    times = {name: iso(wanted[name]) for name in ("since", "until") if wanted.get(name) is not None}
    return {name: value for name, value in (wanted | times).items() if value not in (empty.get(name), [], ())}
