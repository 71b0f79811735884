"""Why a run is not executing yet, in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..accounts.accounts import name_of
from ..errors import near_names
from ..store import Store
from .views import iso, paused_of

if TYPE_CHECKING:
    from .unserved import Unserved

__all__ = ["why_not_running"]

#: Waits that are named one by one.
_SHOWN = 5


def why_not_running(
    store: Store,
    row: Any,
    waits: Sequence[Any],
    *,
    knows: Callable[[str], bool | None],
    env_limit: int | None,
    unserved: Callable[[Any], Unserved | None] = lambda _row: None,
) -> dict[str, Any] | None:
    """The reason, or None for a run that executes or has ended.

    Parameters:
      row: the run. `waits`: its open waits.
      knows: whether a connected worker runs a task; None while none is connected.
      unserved: why none of those takes this run, if that is so.
    """
    state = row["state"]
    if state == "DELAYED":
        until = iso(row["wake_at"])
        what = f"attempt {row['attempt']} starts" if row["attempt"] > 1 else "it starts"
        return {"code": "delayed", "message": f"delayed: {what} at {until}", "until": until}
    paused = paused_of(row)
    if paused is not None:
        message = f"paused: {paused.get('message', 'it goes on when somebody says so')}; resume, fork or cancel it"
        return {"code": "run_paused", "message": message}
    if state == "WAITING":
        return {"code": "waiting", "message": _waits_for(waits)}
    if state not in {"QUEUED", "PENDING_VERSION"}:
        return None
    served = knows(row["task"])
    nobody = unserved(row) if state == "QUEUED" else None
    if nobody is not None and nobody.code == "unserved_version":
        return _reason(row, nobody.code, nobody.message, name=nobody.name)
    if state == "PENDING_VERSION" and (current := store.read("find_current_version", env=row["env"])):
        return _reason(row, "pending_version", _no_version(store, row, current[0]["version"]))
    if served is None:
        return _reason(row, "no_worker", f"no worker is connected; {_start(store, row['env'])}")
    if not served:
        known = [task["id"] for task in store.read("list_tasks", env=row["env"])]
        return _reason(row, "no_worker", f"no connected worker has this task: {near_names('task', row['task'], known)}")
    if nobody is not None:
        return _reason(row, nobody.code, nobody.message, name=nobody.name)
    return _queue_reason(store, row, env_limit)


def _start(store: Store, env: str) -> str:
    """What starts a worker of an environment."""
    rows = store.read("find_environment", id=env)
    name = name_of(rows[0]) if rows else env
    return "start `detent dev` or `detent worker`" if name == "dev" else f"start some with `detent worker --env {name}`"


def _no_version(store: Store, row: Any, current: str) -> str:
    """Why a run waits for a version that is not deployed yet."""
    known = [task["id"] for task in store.read("list_tasks", env=row["env"])]
    if row["task"] not in known:
        told = near_names("task", row["task"], known)
    else:
        told = near_names(
            "queue", row["queue"], [queue["name"] for queue in store.read("list_queue_names", env=row["env"])]
        )
    return f"the current version {current} has {told}; it starts when a version that has it is deployed"


def _waits_for(waits: Sequence[Any]) -> str:
    pending = sum(max(0, wait["pending"]) for wait in waits if wait["kind"] == "children")
    parts = [f"for {pending} run{'s' if pending > 1 else ''} that it started"] if pending else []
    for wait in [wait for wait in waits if wait["kind"] in ("time", "token", "input") and wait["pending"] > 0][:_SHOWN]:
        until = "" if wait["until"] is None else f"until {iso(wait['until'])}"
        token = {"time": "", "input": "for input"}.get(wait["kind"], f"for token {wait['waitpoint_id']}")
        parts.append(" ".join(part for part in (token, until) if part))
    return f"waits {', '.join(parts)}" if parts else "waits"


def _queue_reason(store: Store, row: Any, env_limit: int | None) -> dict[str, Any]:
    env, name, key = row["env"], row["queue"], row["concurrency_key"]
    if row["state"] == "PENDING_VERSION":
        return _reason(
            row,
            "no_worker",
            f"no worker has declared queue {name!r}; declare it with queue({name!r}, …) in a task file",
        )
    position = store.read("queue_position", id=row["id"])[0]["n"]
    found = store.read("find_queue", env=env, name=name)
    queue = found[0] if found else None
    if queue is not None and queue["paused"]:
        return _reason(row, "paused", f"queue {name!r} is paused; position {position}", position=position)
    running = store.read("count_running", env=env, queue=name)[0]["n"]
    if queue is not None and queue["limit_n"] is not None and running >= queue["limit_n"]:
        return _limited(
            row, "queue_limit", f"queue {name!r}", running=running, limit=queue["limit_n"], position=position
        )
    if queue is not None and queue["limit_per_key"] is not None and key:
        of_key = store.read("count_running_of_key", env=env, queue=name, concurrency_key=key)[0]["n"]
        if of_key >= queue["limit_per_key"]:
            shown = f"key {key!r} of queue {name!r}"
            return _limited(row, "key_limit", shown, running=of_key, limit=queue["limit_per_key"], position=position)
    if env_limit is not None:
        all_running = store.read("count_running_of_env", env=env)[0]["n"]
        if all_running >= env_limit:
            return _limited(row, "env_limit", "the project", running=all_running, limit=env_limit, position=position)
    return _reason(row, "queued", f"queued, position {position} in {name!r}", position=position)


def _limited(row: Any, code: str, what: str, *, running: int, limit: int, position: int) -> dict[str, Any]:
    message = f"{what} has reached its limit: {running} of {limit} run; position {position}"
    return _reason(row, code, message, running=running, limit=limit, position=position)


def _reason(row: Any, code: str, message: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "message": message, "queue": row["queue"] or None, **more}
