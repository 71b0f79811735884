"""Runs that workers could execute and none of them takes, because of their queue or their machine."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from ..model.machine import DEFAULT_MACHINE
from .engine import Engine
from .sessions import Session

__all__ = ["Unserved", "unserved"]

#: Names that are shown one by one.
_SHOWN = 8


class Unserved(NamedTuple):
    """`code` is ``unserved_queue`` or ``unserved_machine``, `name` that of the queue or the machine."""

    code: str
    name: str
    message: str


def unserved(engine: Engine, row: Any) -> Unserved | None:
    """Why no connected worker takes the queued run `row`; None where one does, where none has its task, and where
    workers may be connected to another server."""
    there = [session for session in engine.sessions.of_env(engine.env) if not session.draining]
    able = [session for session in there if session.can_run(row["task"])]
    if not able or _some_are_elsewhere(engine, there):
        return None
    queue = row["queue"]
    serving = [session for session in able if session.takes_queue(queue)]
    if not serving:
        return Unserved(
            "unserved_queue",
            queue,
            f"no worker claims from queue {queue!r}, only from {_names(able, 'queues')}; "
            f"start one with `detent worker --queues {queue}`, or leave --queues out",
        )
    if any(session.takes_machine(row["task"], row["machine"]) for session in serving):
        return None
    machine = row["machine"] or _machine_of(engine, row["task"])
    return Unserved(
        "unserved_machine",
        machine,
        f"no worker offers the machine {machine!r}, only {_names(serving, 'machines')}; "
        f"start one there with `detent worker --machine {machine}`",
    )


def _some_are_elsewhere(engine: Engine, there: list[Session]) -> bool:
    here = {session.worker_id for session in there}
    return any(
        row["parent"] is None and row["env"] == engine.env and row["state"] == "alive" and row["id"] not in here
        for row in engine.store.read("list_workers")
    )


def _machine_of(engine: Engine, task: str) -> str:
    rows = engine.store.read("find_task", env=engine.env, id=task)
    spec = msgspec.json.decode(rows[0]["spec"]) if rows else {}
    return str(spec.get("machine") or DEFAULT_MACHINE)


def _names(sessions: list[Session], what: str) -> str:
    names = sorted({name for session in sessions for name in getattr(session, what) or ()})
    more = f" and {len(names) - _SHOWN} others" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more
