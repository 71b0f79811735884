"""What came in and went out of an environment, and how it ended: the figures of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec

from ..model.status import FINAL, Status
from ..model.task_error import TaskError
from .engine import Engine
from .failures import cached_fingerprint
from .reasons import why_not_running
from .run_lists import seq_at

__all__ = ["execution_of", "flow_of"]

#: Ended runs that are looked at, and that are counted at most; failures that are grouped; groups and tasks named.
RUNS, COUNTED, FAILURES, ERRORS, TASKS = 10_000, 50_000, 500, 5, 20

#: What counts against a rate of failures, and what the rate is of.
_FAILED = frozenset({"FAILED", "TIMED_OUT", "CRASHED", "SYSTEM_FAILURE"})
_WEIGHED = _FAILED | {"COMPLETED"}
#: States of runs that have not begun, and all states as JSON.
_NOT_STARTED = ("PENDING_VERSION", "DELAYED", "QUEUED", "EXPIRED")
_STATES = msgspec.json.encode([state.value for state in Status]).decode()
_decode = msgspec.json.Decoder(TaskError).decode


def flow_of(engine: Engine, since: int, now: int) -> dict[str, Any]:
    """Runs that came, started and ended from `since` to `now`, and what is queued."""
    store, env = engine.store, engine.env
    before = since - (now - since)
    last = (store.read("view_last_seq")[0]["seq"] or 0) + 1
    places = [seq_at(store, moment, last - 1) for moment in (before, since)] + [last]
    came_before, came = (_created(engine, low, high) for low, high in pairwise(places))
    states = {row["state"]: row["n"] for row in store.read("view_active_states", env=env)}
    queues = [_queue(row, now) for row in store.read("report_queues", env=env)]
    finished, finished_before = _ended(engine, since, now + 1), _ended(engine, before, since)
    return {
        "triggered": came.total(),
        "triggered_before": came_before.total(),
        "started": came.total() - sum(came[state] for state in _NOT_STARTED),
        "finished": finished.total(),
        "finished_before": finished_before.total(),
        "queued": states.get("QUEUED", 0) + states.get("PENDING_VERSION", 0),
        "running": states.get("EXECUTING", 0),
        "waiting": states.get("WAITING", 0),
        "delayed": states.get("DELAYED", 0),
        "oldest": _oldest(engine, queues, now),
        "queues": queues,
    }


def execution_of(engine: Engine, since: int, now: int) -> dict[str, Any]:
    """How the runs ended that ended from `since` to `now`."""
    before = since - (now - since)
    rows = engine.store.read("report_finished", env=engine.env, since=since, until=now + 1, n=RUNS)
    earlier = _ended(engine, before, since)
    states = Counter(row["state"] for row in rows)
    return {
        "by_status": dict(sorted(states.items())),
        "failure_rate": _rate(states),
        "failure_rate_before": _rate(earlier),
        "timeouts": states["TIMED_OUT"],
        "crashes": states["CRASHED"],
        "retried": sum(row["attempt"] > 1 for row in rows),
        "top_errors": _top_errors(engine, since),
        "tasks": _tasks(rows),
        "is_sampled": len(rows) == RUNS or earlier.total() == COUNTED,
    }


def _created(engine: Engine, low: int, high: int) -> Counter[str]:
    """Runs of a stretch of seqs by the state they are in."""
    rows = engine.store.read("report_created", env=engine.env, states=_STATES, low=low, high=high)
    return Counter({row["state"]: row["n"] for row in rows})


def _ended(engine: Engine, since: int, until: int) -> Counter[str]:
    """Runs that ended then, by how."""
    rows = engine.store.read("report_ended", env=engine.env, since=since, until=until, n=COUNTED)
    return Counter({row["state"]: row["n"] for row in rows})


def _queue(row: Any, now: int) -> dict[str, Any]:
    return {
        "name": row["name"],
        "limit": row["limit_n"],
        "paused": bool(row["paused"]),
        "queued": row["queued"],
        "running": row["running"],
        "oldest_ms": None if row["oldest"] is None else max(0, now - row["oldest"]),
    }


def _oldest(engine: Engine, queues: Sequence[dict[str, Any]], now: int) -> dict[str, Any] | None:
    waiting = [queue for queue in queues if queue["oldest_ms"] is not None]
    if not waiting:
        return None
    queue = max(waiting, key=lambda queue: queue["oldest_ms"])
    rows = engine.store.read("report_oldest", env=engine.env, queue=queue["name"])
    if not rows:
        return None
    row = rows[0]
    reason = why_not_running(engine.store, row, (), knows=engine.knows, env_limit=engine.env_limit)
    return {
        "id": row["id"],
        "task": row["task"],
        "queue": row["queue"],
        "queued_ms": max(0, now - (row["queued_at"] or row["created_at"])),
        "reason": "it is about to start" if reason is None else reason["message"],
    }


def _rate(states: Counter[str]) -> float | None:
    counted = sum(states[state] for state in _WEIGHED)
    return round(sum(states[state] for state in _FAILED) / counted, 4) if counted else None


def _top_errors(engine: Engine, since: int) -> list[dict[str, Any]]:
    groups: dict[str, list[Any]] = {}
    for row in engine.store.read("report_errors", env=engine.env, since=since, n=FAILURES):
        groups.setdefault(cached_fingerprint(row["error"]), []).append(row)
    largest = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))[:ERRORS]
    return [_top_error(name, members) for name, members in largest]


def _top_error(name: str, rows: Sequence[Any]) -> dict[str, Any]:
    error = _decode(rows[0]["error"])
    return {
        "fingerprint": name,
        "type": error.type,
        "message": " ".join(error.message.split())[:200],
        "count": len(rows),
        "tasks": sorted({row["task"] for row in rows}),
        "run_id": rows[0]["id"],
    }


def _tasks(rows: Sequence[Any]) -> list[dict[str, Any]]:
    by_task: dict[str, list[Any]] = {}
    for row in rows:
        if row["state"] in FINAL and row["started_at"] is not None:
            by_task.setdefault(row["task"], []).append(row)
    largest = sorted(by_task.items(), key=lambda one: (-len(one[1]), one[0]))[:TASKS]
    return [
        {
            "task": task,
            "finished": len(runs),
            "failed": sum(run["state"] in _FAILED for run in runs),
            "p50_ms": _percentile([run["used_ms"] for run in runs], 50),
            "p95_ms": _percentile([run["used_ms"] for run in runs], 95),
            "queued_p95_ms": _percentile(
                [max(0, run["started_at"] - (run["queued_at"] or run["created_at"])) for run in runs], 95
            ),
        }
        for task, runs in largest
    ]


def _percentile(values: Sequence[int], percent: int) -> int | None:
    """The smallest value that so many percent do not exceed."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
