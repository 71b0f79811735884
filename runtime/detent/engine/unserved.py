"""Runs that workers could execute and none of them takes: because of their version, their queue or their machine.

The rows of workers tell, so that every engine of a store knows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from ..accounts.accounts import name_of
from ..model.machine import DEFAULT_MACHINE
from .engine import Engine

__all__ = ["Unserved", "unserved"]

#: Names that are shown one by one.
_SHOWN = 8

_decode = msgspec.json.Decoder(list[str] | None).decode


class Unserved(NamedTuple):
    """`code` is ``unserved_version``, ``unserved_queue`` or ``unserved_machine``, `name` that of the version, the queue
    or the machine."""

    code: str
    name: str
    message: str


class _Able(NamedTuple):
    """A worker that has the task, and what it takes; None: any."""

    version: str | None
    queues: list[str] | None
    machines: list[str] | None


def unserved(engine: Engine, row: Any) -> Unserved | None:
    """Why no living worker takes the queued run `row`; None where one does, and where none has its task and its version
    has nothing to do with it."""
    current = next(iter(engine.store.read("find_current_version", env=engine.env)), None)
    wanted = row["version"] or (None if current is None else current["version"])
    able = _able(engine, row["task"])
    fitting = able if wanted is None else [worker for worker in able if worker.version == wanted]
    if wanted is not None and not fitting:
        return _no_version(engine, row, wanted, is_pinned=row["version"] is not None)
    if not fitting:
        return None
    queue = row["queue"]
    serving = [worker for worker in fitting if worker.queues is None or queue in worker.queues]
    if not serving:
        return Unserved(
            "unserved_queue",
            queue,
            f"no worker claims from queue {queue!r}, only from {_names(worker.queues for worker in fitting)}; "
            f"start one with `detent worker --queues {queue}`, or leave --queues out",
        )
    machine = row["machine"] or _machine_of(engine, row["task"])
    if any(worker.machines is None or machine in worker.machines for worker in serving):
        return None
    return Unserved(
        "unserved_machine",
        machine,
        f"no worker offers the machine {machine!r}, only {_names(worker.machines for worker in serving)}; "
        f"start one there with `detent worker --machine {machine}`",
    )


def _able(engine: Engine, task: str) -> list[_Able]:
    here = {session.worker_id for session in engine.sessions.of_env(engine.env) if not session.draining}
    since = engine.clock.now() - engine.lease_ms
    rows = engine.store.read("workers_with_task", env=engine.env, task=task)
    # Those of other engines live for as long as they say so.
    there = [row for row in rows if row["id"] in here or (engine.store.is_shared and row["beat_at"] > since)]
    return [_Able(row["version"], _listed(row["queues"]), _listed(row["machines"])) for row in there]


def _no_version(engine: Engine, row: Any, version: str, *, is_pinned: bool) -> Unserved:
    environment = _name_of(engine)
    start = f"start some with `detent worker --env {environment}`"
    if not is_pinned:
        message = f"no worker of the current version {version} is connected; {start}"
    elif row["attempt_started_at"] is None and row["has_journal"] == 0:
        message = f"it is for version {version}, of which no worker is connected; {start}, or cancel it"
    else:
        message = (
            f"it began on version {version}, of which no worker is connected; {start}; or run it again on the current "
            f"version with `detent runs replay {row['id']}`, with what it has done by `detent runs fork {row['id']}`, "
            "or cancel it"
        )
    return Unserved("unserved_version", version, message)


def _name_of(engine: Engine) -> str:
    rows = engine.store.read("find_environment", id=engine.env)
    return name_of(rows[0]) if rows else engine.env


def _machine_of(engine: Engine, task: str) -> str:
    rows = engine.store.read("find_task", env=engine.env, id=task)
    spec = msgspec.json.decode(rows[0]["spec"]) if rows else {}
    return str(spec.get("machine") or DEFAULT_MACHINE)


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else _decode(text)


def _names(lists: Any) -> str:
    names = sorted({name for each in lists for name in each or ()})
    more = f" and {len(names) - _SHOWN} others" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more
