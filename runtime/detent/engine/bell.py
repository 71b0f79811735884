"""What one transaction brings about for others, told after its commit: rings, pushes to workers, timers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..model.protocol import Push
from ..store import Tx
from .sessions import Sessions
from .waiters import Waiters

if TYPE_CHECKING:
    from .neighbours import Neighbours

__all__ = ["Bell", "bell_of"]

_NOTE = "bell"


class Bell:
    """Gathers during a transaction; the last word of the transaction turns it into deeds after the commit."""

    def __init__(
        self,
        sessions: Sessions,
        on_due: Callable[[int], None],
        env_limited: bool,
        listeners: Sequence[Callable[[], None]] = (),
        waiters: Waiters | None = None,
        *,
        neighbours: Neighbours | None = None,
    ) -> None:
        self._sessions = sessions
        self._on_due = on_due
        self._env_limited = env_limited
        self._listeners = listeners
        self._waiters = waiters
        self._neighbours = neighbours
        self._ended: list[str] = []
        #: How many runs of each task, by environment.
        self._queued: dict[str, dict[str, int]] = {}
        #: Of those, the ones whose ids are known: where they are, and their tasks.
        self._unclaimed: dict[str, tuple[str, str]] = {}
        self._sticky: list[tuple[str, str, str]] = []
        #: Queues, and whether they have a limit, where that is known.
        self._freed: dict[tuple[str, str], bool | None] = {}
        self._anyone: set[str] = set()
        self._pushes: list[tuple[str, Push]] = []
        self._due: int | None = None

    def queued(self, env: str, task: str, sticky_worker: str | None = None, *, run_id: str | None = None) -> None:
        """A run of `task` is claimable; the worker that holds its frame is asked first. `run_id`: see `claimed`."""
        if sticky_worker is not None:
            self._sticky.append((env, task, sticky_worker))
            return
        self._count(env, task)
        if run_id is not None:
            self._unclaimed[run_id] = env, task

    def claimed(self, run_id: str) -> None:
        """The run has a worker: if it was queued in this very transaction, nobody need be rung for it."""
        env, task = self._unclaimed.pop(run_id, ("", ""))
        if not task:
            return
        tasks = self._queued[env]
        tasks[task] -= 1
        if not tasks[task]:
            del tasks[task]
        if not tasks:
            del self._queued[env]

    def freed(self, env: str, queue: str, *, limited: bool | None = None) -> None:
        """A slot of `queue` became free. `limited`: whether the queue has limits, where that is known."""
        if limited is not None or (env, queue) not in self._freed:
            self._freed[env, queue] = limited

    def used_up(self, env: str, queue: str) -> None:
        """What was freed of `queue` before is in use again."""
        self._freed.pop((env, queue), None)

    def anyone(self, env: str) -> None:
        """More than one queue may have room, or workers for its runs: ask all that have room."""
        self._anyone.add(env)

    def ended(self, run_id: str) -> None:
        """A run has reached its final state."""
        self._ended.append(run_id)

    def push(self, worker_id: str, push: Push) -> None:
        """Tell `worker_id`."""
        self._pushes.append((worker_id, push))

    def due(self, at: int) -> None:
        """A timer was set to `at`."""
        self._due = at if self._due is None else min(self._due, at)

    def __call__(self, tx: Tx) -> None:
        for listener in self._listeners:
            tx.after_commit(listener)
        if self._ended and self._waiters is not None:
            # Also where nobody waits yet: who begins to, before the commit, still reads that the run goes on.
            tx.after_commit(partial(self._waiters.tell, self._ended))
        anyone = self._anyone
        for (env, queue), known in self._freed.items():
            if env in anyone:
                continue
            limited = _is_limited(tx, env, queue) if known is None else known
            if (limited and tx.one("find_lane", env=env, queue=queue)) or (
                self._env_limited and tx.one("find_any_lane", env=env)
            ):
                anyone.add(env)
        # Each is a deed of its own: a connection that fails keeps no timer and no other worker waiting.
        if self._due is not None:
            tx.after_commit(partial(self._on_due, self._due))
        for worker_id, push in self._pushes:
            tx.after_commit(partial(self._sessions.push, worker_id, push))
        if anyone or self._queued or self._sticky:
            tx.after_commit(partial(self._ring, anyone))
        if self._neighbours is not None:
            tx.after_commit(partial(self._tell, self._neighbours))

    def _tell(self, neighbours: Neighbours) -> None:
        if self._ended:
            neighbours.ended(self._ended)
        if self._due is not None:
            neighbours.due(self._due)
        for worker_id, push in self._pushes:
            if not self._sessions.reaches(worker_id):
                neighbours.push(worker_id, push)
        neighbours.changed()

    def _ring(self, anyone: set[str]) -> None:
        elsewhere = self._neighbours
        for env, task, worker_id in self._sticky:
            if self._sessions.wake_one(worker_id, task):
                continue
            if elsewhere is None:
                self._count(env, task)
            else:
                elsewhere.sticky(env, task, worker_id)
        for env in anyone | self._queued.keys():
            left = self._sessions.wake(env, self._queued.get(env, {}), env in anyone)
            if elsewhere is not None and left:
                elsewhere.queued(env, left)
            if elsewhere is not None and env in anyone:
                elsewhere.anyone(env)

    def _count(self, env: str, task: str) -> None:
        tasks = self._queued.setdefault(env, {})
        tasks[task] = tasks.get(task, 0) + 1


def _is_limited(tx: Tx, env: str, queue: str) -> bool:
    row = tx.one("find_queue", env=env, name=queue)
    return row is not None and (row["limit_n"] is not None or row["limit_per_key"] is not None)


def bell_of(tx: Tx, make: Callable[[], Bell]) -> Bell:
    """The bell of this transaction."""
    bell: Any = tx.notes.get(_NOTE)
    if bell is None:
        bell = tx.notes[_NOTE] = make()
    return bell  # type: ignore[no-any-return]  # only bells are kept under this note
