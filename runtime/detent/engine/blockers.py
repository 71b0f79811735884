"""What a run waits for, one by one."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import partial
from typing import Any

from .engine import Engine
from .reasons import why_not_running
from .unserved import unserved
from .views import iso, paused_of, status_of

__all__ = ["blockers_of"]

#: Children, waits and holders of slots that are named; children whose own reason is looked up.
NAMED, EXPLAINED = 20, 3

_NOBODY = {"unserved_queue": "unserved_queue", "unserved_machine": "machine", "unserved_version": "version"}
_LIMITS = {"queue_limit", "key_limit", "env_limit"}


def blockers_of(engine: Engine, row: Any, waits: Sequence[Any], reason: dict[str, Any] | None) -> list[dict[str, Any]]:
    """What run `row` waits for; empty for one that executes or has ended.

    Parameters:
      waits: its open waits. `reason`: what `why_not_running` says of it.
    """
    if reason is None:
        return []
    code = reason["code"]
    if code == "delayed":
        return [{"kind": "retry" if row["attempt"] > 1 else "delay", "until": reason["until"]}]
    if code == "run_paused":
        paused = paused_of(row) or {}
        names = ("key", "expected", "received")
        return [{"kind": "journal", "reason": reason["message"]} | {name: paused.get(name) for name in names}]
    if code == "waiting":
        return _waits(engine, row, waits)
    if code == "no_worker":
        served = engine.knows(row["task"])
        return [{"kind": "undeclared_queue", "name": row["queue"]} if served else _worker(engine, row)]
    if code in _NOBODY:
        return [{"kind": _NOBODY[code], "name": reason["name"]}]
    if code == "pending_version":
        return [{"kind": "undeployed", "name": row["task"]}]
    kind = {"paused": "paused_queue", "queued": "queue"}.get(code, code)
    blocker = {"kind": kind, "name": row["queue"]} | {
        name: reason[name] for name in ("limit", "running", "position") if name in reason
    }
    if code in _LIMITS:
        blocker["held_by"] = _holders(engine, row, code)
        if code == "key_limit":
            blocker["key"] = row["concurrency_key"]
    return [blocker]


def _waits(engine: Engine, row: Any, waits: Sequence[Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for wait in [wait for wait in waits if wait["pending"] > 0][:NAMED]:
        if wait["kind"] == "token":
            token = wait["waitpoint_id"]
            found.append(
                {"kind": "token", "id": token, "until": iso(wait["until"]), "callback": engine.callbacks.url(token)}
            )
        elif wait["kind"] == "time":
            found.append({"kind": "time", "until": iso(wait["until"])})
        elif wait["kind"] == "input":
            entry = engine.store.read("find_journal", run_id=row["id"], key=wait["key"])
            name = entry[0]["target"] if entry else None
            found.append({"kind": "input", "name": name, "until": iso(wait["until"])})
    if any(wait["kind"] == "children" and wait["pending"] > 0 for wait in waits):
        children = engine.store.read("view_awaited", id=row["id"], env=engine.env, n=NAMED)
        found += [_child(engine, child, explain=place < EXPLAINED) for place, child in enumerate(children)]
    return found


def _child(engine: Engine, child: Any, *, explain: bool) -> dict[str, Any]:
    view = {
        "kind": "run",
        "id": child["id"],
        "task": child["task"],
        "status": status_of(child),
        "since": iso(child["created_at"]),
    }
    if explain:
        reason = why_not_running(
            engine.store,
            child,
            engine.store.read("view_waits", run_id=child["id"]),
            knows=engine.knows,
            env_limit=engine.env_limit,
            unserved=partial(unserved, engine),
        )
        view["reason"] = "it executes" if reason is None else reason["message"]
    return view


def _worker(engine: Engine, row: Any) -> dict[str, Any]:
    connected = len(engine.sessions.of_env(engine.env))
    tasks = [task["id"] for task in engine.store.read("list_tasks", env=engine.env)]
    near = difflib.get_close_matches(row["task"], [task for task in tasks if task != row["task"]], n=3, cutoff=0.5)
    return {"kind": "worker", "task": row["task"], "connected": connected, "known": near}


def _holders(engine: Engine, row: Any, code: str) -> list[dict[str, Any]]:
    """Which runs hold the slots, the oldest claim first."""
    if code == "env_limit":
        rows = engine.store.read("view_holders_of_env", env=engine.env, n=NAMED)
    else:
        key = row["concurrency_key"] if code == "key_limit" else None
        rows = engine.store.read("view_holders", env=engine.env, queue=row["queue"], key=key, n=NAMED)
    return [{"id": held["id"], "task": held["task"], "since": iso(held["claimed_at"])} for held in rows]
