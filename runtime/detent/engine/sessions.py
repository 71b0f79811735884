"""The workers that are connected right now, what they can run, and whether they are hungry.

A worker is hungry for as many plain or async runs as its last claim asked for and did not get. Only hungry
workers are rung, once until they claim again; a busy one claims by itself as soon as it has room. Rings go to
as many workers as it takes to run what was queued.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock
from typing import Protocol

import msgspec

from ..model.machine import DEFAULT_MACHINE
from ..model.protocol import CancelPush, Hello, Push, RingPush

__all__ = ["Doorbell", "Session", "Sessions"]

_encode = msgspec.json.Encoder().encode


class Session:
    """One connected worker process."""

    def __init__(self, env: str, hello: Hello, send: Callable[[Push], None]) -> None:
        self.worker_id = hello.worker_id
        self.env = env
        self.version = hello.manifest.version
        #: Of a cell: the worker that it belongs to.
        self.parent = hello.parent
        # A process of its own takes the room of a plain run, whatever runs in it.
        apart = {task.id for task in hello.manifest.tasks if task.sync or (hello.isolates and task.isolation != "none")}
        self.sync_tasks = frozenset(apart)
        self.async_tasks = frozenset(task.id for task in hello.manifest.tasks if task.id not in apart)
        #: Tasks that have hooks: only of those can some be owed.
        self.with_hooks = frozenset(task.id for task in hello.manifest.tasks if task.hooks)
        #: The queues and machines of the runs that it takes; None: of any.
        self.queues = None if hello.queues is None else frozenset(hello.queues)
        self.machines = None if hello.machines is None else frozenset(hello.machines)
        self._machine_of = {task.id: task.machine or DEFAULT_MACHINE for task in hello.manifest.tasks}
        #: The same for statements: JSON, and the tasks whose runs it takes where they name no machine.
        self.claims = {
            "queues": _listed(self.queues),
            "machines": _listed(self.machines),
            "unnamed": _listed(task for task, machine in self._machine_of.items() if machine in (self.machines or ())),
        }
        self.send = send
        #: The class whose tickets it takes from a broker, ``""`` for none.
        self.ticket_class = hello.ticket_class
        self.draining = False
        self.hungry_sync = 0
        self.hungry_async = 0

    def can_run(self, task: str) -> bool:
        return task in self.async_tasks or task in self.sync_tasks

    @property
    def kind(self) -> tuple[str | None, frozenset[str] | None, frozenset[str] | None]:
        """Sessions of one kind take the runs of the same version, queues and machines."""
        return self.version, self.queues, self.machines

    def takes_queue(self, queue: str) -> bool:
        return self.queues is None or queue in self.queues

    def takes_machine(self, task: str, machine: str | None) -> bool:
        """Whether it takes a run of `task` that names this machine."""
        return self.machines is None or (machine or self._machine_of.get(task)) in self.machines


def _listed(names: Iterable[str] | None) -> str | None:
    return None if names is None else _encode(sorted(names)).decode()


class Doorbell(Protocol):
    """Says that there is work. Rings may be lost, doubled or late: they only wake."""

    def ring(self, session: Session, push: RingPush) -> None: ...


class Sessions:
    """The connected workers of this engine."""

    def __init__(self, doorbell: Doorbell | None = None) -> None:
        self._by_id: dict[str, Session] = {}
        #: The worker that a cell belongs to.
        self._parents: dict[str, str] = {}
        self._lock = Lock()
        self._doorbell = doorbell

    def add(self, session: Session) -> None:
        with self._lock:
            self._by_id[session.worker_id] = session
            if session.parent is not None:
                self._parents[session.worker_id] = session.parent
            else:
                self._parents.pop(session.worker_id, None)

    def adopt(self, cell_id: str, parent_id: str) -> None:
        """A worker has a cell, which need not be connected yet."""
        with self._lock:
            known = self._by_id.get(cell_id)
            if known is None or known.parent == parent_id:
                self._parents.setdefault(cell_id, parent_id)

    def remove(self, session: Session) -> None:
        """Forget `session`, unless the worker has come back on another connection meanwhile."""
        with self._lock:
            if self._by_id.get(session.worker_id) is session:
                del self._by_id[session.worker_id]

    def get(self, worker_id: str) -> Session | None:
        return self._by_id.get(worker_id)

    def drop(self, worker_id: str) -> Session | None:
        """Forget a worker that is dead; its rings went nowhere. What it was, if it was connected still."""
        with self._lock:
            self._parents.pop(worker_id, None)
            return self._by_id.pop(worker_id, None)

    def of_env(self, env: str) -> list[Session]:
        """The workers of an environment, without their cells."""
        with self._lock:
            return [session for session in self._by_id.values() if session.env == env and session.parent is None]

    def tasks_besides(self, session: Session) -> frozenset[str]:
        """The tasks that other workers of its environment run, those not counted that are about to stop."""
        others = [
            other for other in self.of_env(session.env) if other.worker_id != session.worker_id and not other.draining
        ]
        return frozenset().union(*(other.sync_tasks | other.async_tasks for other in others))

    def knows(self, env: str, task: str) -> bool | None:
        """Whether a connected worker of `env` runs `task`; None while none is connected."""
        known: bool | None = None
        with self._lock:
            for session in self._by_id.values():
                if session.env == env and session.parent is None:
                    if session.can_run(task):
                        return True
                    known = False
        return known

    def envs(self) -> set[str]:
        """The environments that have a worker here."""
        with self._lock:
            return {session.env for session in self._by_id.values()}

    def takers(self) -> list[Session]:
        """The workers that take tickets from a broker."""
        with self._lock:
            return [each for each in self._by_id.values() if each.ticket_class and not each.draining]

    def reaches(self, worker_id: str) -> bool:
        """Whether what is pushed to the worker arrives: it is connected, or it is a cell whose parent is."""
        return worker_id in self._by_id or self._parents.get(worker_id, "") in self._by_id

    def push(self, worker_id: str, push: Push) -> None:
        """Send `push` to a worker, if it is connected."""
        session = self._by_id.get(worker_id)
        if session is not None:
            session.send(push)
        # A run whose cell is not there yet, or hears nothing because of what its code does, is stopped by the parent.
        parent = self._by_id.get(self._parents.get(worker_id, ""))
        if parent is not None and isinstance(push, CancelPush):
            parent.send(push)

    def wake(self, env: str, queued: dict[str, int], anyone: bool) -> dict[str, int]:
        """Ring hungry workers of `env`: for `queued` runs by task, or, with `anyone`, whoever is hungry. For which runs
        there was nobody."""
        rings: list[tuple[Session, RingPush]] = []
        with self._lock:
            # What one worker does not take, another does: each kind of them is rung for all runs.
            left_of: dict[object, dict[str, int]] = {}
            for session in list(self._by_id.values()):
                hungry = session.hungry_sync or session.hungry_async
                if not hungry or session.env != env or session.draining:
                    continue
                ring = _ring_for(session, left_of.setdefault(session.kind, dict(queued)))
                if anyone:
                    ring.sync = max(ring.sync, session.hungry_sync)
                    ring.async_ = max(ring.async_, session.hungry_async)
                if ring.sync or ring.async_:
                    # Only what was rung for is reset: a claim on another thread may set the other just now.
                    if ring.sync:
                        session.hungry_sync = 0
                    if ring.async_:
                        session.hungry_async = 0
                    rings.append((session, ring))
                    # Those served first are asked last next time.
                    self._by_id[session.worker_id] = self._by_id.pop(session.worker_id)
        for session, ring in rings:
            if self._doorbell is not None:
                self._doorbell.ring(session, ring)
            else:
                session.send(ring)
        # Those that take only some runs may not take these.
        return {task: n for task, n in left_of.get((None, None, None), queued).items() if n}

    def wake_one(self, worker_id: str, task: str) -> bool:
        """Ring the worker that holds a parked run of `task`; False when it is not connected."""
        with self._lock:
            session = self._by_id.get(worker_id)
            if session is None or session.draining:
                return False
            ring = RingPush()
            if task in session.sync_tasks and session.hungry_sync:
                session.hungry_sync, ring.sync = 0, 1
            elif task in session.async_tasks and session.hungry_async:
                session.hungry_async, ring.async_ = 0, 1
        if ring.sync or ring.async_:
            session.send(ring)
        return True


def _ring_for(session: Session, left: dict[str, int]) -> RingPush:
    """What `session` is rung for, of the runs `left` by task; what it has room for is taken off them."""
    ring = RingPush()
    room_sync, room_async = session.hungry_sync, session.hungry_async
    for task, n in left.items():
        if n and room_async and task in session.async_tasks:
            ring.async_ += n
            left[task] -= min(n, room_async)
            room_async -= min(n, room_async)
        elif n and room_sync and task in session.sync_tasks:
            ring.sync += n
            left[task] -= min(n, room_sync)
            room_sync -= min(n, room_sync)
    return ring
