"""Rows of the store as the plain JSON values that clients read (the shapes are in `model/views.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..model.channel import BrokerState
from ..model.moments import iso
from ..model.status import FINAL, shown_status

__all__ = [
    "attempts_of",
    "broker_view",
    "child_view",
    "error_view",
    "event_view",
    "iso",
    "journal_view",
    "queue_view",
    "run_detail",
    "run_summary",
    "task_view",
    "wait_view",
]

_decode = msgspec.json.decode


def status_of(row: Any) -> str:
    return shown_status(row["state"], row["attempt_started_at"] is not None)


def run_summary(row: Any, attempts_allowed: int | None, now: int) -> dict[str, Any]:
    """A run as lists show it. `attempts_allowed`: of its task, where the run itself says nothing."""
    used = row["used_ms"]
    if row["state"] == "EXECUTING" and row["claimed_at"] is not None:
        used += max(0, now - row["claimed_at"])
    return {
        "id": row["id"],
        "task": row["task"],
        "status": status_of(row),
        "env": row["env"],
        "queue": row["queue"],
        "concurrency_key": row["concurrency_key"],
        "created_at": iso(row["created_at"]),
        "queued_at": iso(row["queued_at"]),
        "started_at": iso(row["started_at"]),
        "finished_at": iso(row["finished_at"]),
        "duration_ms": None if row["claimed_at"] is None else used,
        "attempt": row["attempt"],
        "max_attempts": row["max_attempts"] if row["max_attempts"] is not None else attempts_allowed,
        "tags": _decode(row["tags"]),
        "parent_id": row["parent_id"],
        "root_id": row["root_id"],
        "batch_id": row["batch_id"],
        "schedule_id": row["schedule_id"],
        "version": row["version"],
        "error": error_view(row["error"], short=True),
    }


def run_detail(
    row: Any,
    attempts_allowed: int | None,
    now: int,
    *,
    events: Sequence[Any],
    children: Sequence[Any],
    children_total: int,
    waits: Sequence[Any],
) -> dict[str, Any]:
    """All of a run but payload and output, which may have to be fetched."""
    waiting = row["state"] in {"DELAYED", "PENDING_VERSION"}
    return run_summary(row, attempts_allowed, now) | {
        "error": error_view(row["error"]),
        "metadata": _decode(row["metadata"]) if row["metadata"] else {},
        "attempts": attempts_of(row, events),
        "children": [child_view(child) for child in children],
        "children_total": children_total,
        "waits": [wait_view(wait) for wait in waits if wait["kind"] != "timer"],
        "delay_until": iso(row["wake_at"]) if waiting else None,
        "ttl_ms": row["ttl_ms"],
        "priority": row["priority"],
        "max_duration_ms": row["max_duration_ms"],
        "machine": row["machine"],
        "idempotency_key": row["idempotency_key"],
        "replay_of": row["replay_of"],
        "forked_at": row["forked_at"],
        "paused": paused_of(row),
    }


def paused_of(row: Any) -> dict[str, Any] | None:
    """Why a run that waits goes on only when somebody says so; None where that is not so."""
    if row["state"] != "WAITING" or row["paused"] is None:
        return None
    paused: dict[str, Any] = _decode(row["paused"])
    return paused


def attempts_of(row: Any, events: Sequence[Any]) -> list[dict[str, Any]]:
    """The attempts of a run, out of its history. A lost worker ends one, and the next has the same number."""
    attempts: list[dict[str, Any]] = []
    current: dict[str, Any] | None = None
    for event in events:
        kind = event["kind"]
        if kind == "claim":
            if current is None:
                current = _attempt(event)
                attempts.append(current)
            current["worker"] = event["worker_id"]
        elif current is not None and kind in _ENDS:
            current["finished_at"] = iso(event["at"])
            current["outcome"] = _ENDS[kind] or event["state"]
            current["error"] = _error_of_end(row, event)
            current = None
    return attempts


_ENDS = {"retry": "RETRY", "lose_lease": "LOST", "out_of_memory": "OUT_OF_MEMORY", "release": "RELEASED", "finish": ""}


def _attempt(event: Any) -> dict[str, Any]:
    return {
        "number": event["attempt"],
        "started_at": iso(event["at"]),
        "finished_at": None,
        "outcome": None,
        "error": None,
        "worker": event["worker_id"],
    }


def _error_of_end(row: Any, event: Any) -> dict[str, Any] | None:
    if event["kind"] == "finish":
        return error_view(row["error"])
    data = _decode(event["data"]) if event["data"] else {}
    if "error" in data:
        return error_view(data["error"])
    return {"type": "WorkerLost", "message": data["cause"], "code": "crashed"} if "cause" in data else None


def wait_view(row: Any) -> dict[str, Any]:
    """An open wait. A moment that others share is reached by its waitpoint."""
    return {
        "key": row["key"],
        "kind": row["kind"],
        "pending": row["pending"],
        "until": iso(row["until"]),
        "token": row["waitpoint_id"] if row["kind"] == "token" else None,
    }


def error_view(text: str | None, *, short: bool = False) -> dict[str, Any] | None:
    """A stored error. `short`: without the traceback, the message in one line of at most 200 characters."""
    if text is None:
        return None
    error: dict[str, Any] = _decode(text)
    if short:
        error.pop("traceback", None)
        line = " ".join(error.get("message", "").split())
        error["message"] = line if len(line) <= 200 else line[:199] + "…"
    return error


def child_view(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "task": row["task"],
        "status": status_of(row),
        "created_at": iso(row["created_at"]),
        "started_at": iso(row["started_at"]),
        "finished_at": iso(row["finished_at"]),
    }


def event_view(row: Any) -> dict[str, Any]:
    data: dict[str, Any] | None = _decode(row["data"]) if row["data"] else None
    if data is not None:
        if isinstance(data.get("error"), str):
            data["error"] = _decode(data["error"])
        if "wake_at" in data:
            data["wake_at"] = iso(data["wake_at"])
    return {
        "seq": row["seq"],
        "at": iso(row["at"]),
        "kind": row["kind"],
        "status": row["state"],
        "attempt": row["attempt"],
        "epoch": row["epoch"],
        "worker": row["worker_id"],
        "data": data,
    }


def journal_view(row: Any, chars: int) -> dict[str, Any]:
    """An entry of a journal, its value cut after `chars` characters."""
    value = row["value"]
    if value is None and row["value_ref"] is not None:
        value = "…"
    elif value is not None and len(value) > chars:
        value = value[:chars] + "…"
    return {
        "seq": row["seq"],
        "key": row["key"],
        "kind": row["kind"],
        "target": row["target"],
        "status": row["status"],
        "attempt": row["attempt"],
        "at": iso(row["at"]),
        "value": value,
        "error": error_view(row["error"], short=True),
        "runs": _decode(row["first_children"]),
        "runs_total": row["children"],
    }


def task_view(row: Any, served: bool) -> dict[str, Any]:
    spec: dict[str, Any] = _decode(row["spec"])
    return spec | {"updated_at": iso(row["updated_at"]), "served": served}


def queue_view(row: Any) -> dict[str, Any]:
    return {
        "name": row["name"],
        "limit": row["limit_n"],
        "declared_limit": row["declared_n"],
        "limit_per_key": row["limit_per_key"],
        "overridden_at": iso(row["overridden_at"]),
        "override_until": iso(row["override_until"]),
        "paused": bool(row["paused"]),
        "running": row["running"],
        "queued": row["queued"],
    }


def is_final(row: Any) -> bool:
    return row["state"] in FINAL


def broker_view(state: BrokerState) -> dict[str, Any]:
    """How the way between the engines of one database is."""
    latency_ms = None if state.latency_ms is None else round(state.latency_ms, 1)
    return state._asdict() | {"since": iso(state.since), "latency_ms": latency_ms}
