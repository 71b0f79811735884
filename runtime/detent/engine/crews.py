"""Who is connected to the engines of one database: by class, how many workers, and which tasks they run."""

from __future__ import annotations

import time
from threading import Lock

from .news import Crew
from .sessions import Sessions

__all__ = ["Crews", "queue_of"]

#: What an engine told of its crews is good for so long, in seconds.
_GOOD_S = 20.0


def queue_of(ticket_class: str, *, sync: bool) -> str:
    """The queue of the tickets for plain, or for async, runs of a class."""
    return f"{ticket_class}.{'sync' if sync else 'async'}"


class Crews:
    """Those of this engine, and those that others have told of."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._lock = Lock()
        #: By engine: when it was heard, and its crews.
        self._others: dict[str, tuple[float, list[Crew]]] = {}
        #: By environment and task: queues of tickets, and how many workers take from each. None: to be made anew.
        self._queues: dict[tuple[str, str], dict[str, int]] | None = None
        self._good_until = 0.0

    def here(self) -> list[Crew]:
        """The crews of this engine."""
        crews: dict[tuple[str, str], Crew] = {}
        for session in self._sessions.takers():
            known = crews.get((session.env, session.ticket_class))
            if known is not None:
                known.workers += 1
                continue
            crews[session.env, session.ticket_class] = Crew(
                session.ticket_class, session.env, 1, sorted(session.sync_tasks), sorted(session.async_tasks)
            )
        return list(crews.values())

    def has_others(self) -> bool:
        """Whether another engine was heard of lately."""
        since = time.monotonic() - _GOOD_S
        with self._lock:
            return any(at > since for at, _ in self._others.values())

    def learn(self, engine_id: str, crews: list[Crew]) -> None:
        """An engine has told of its crews."""
        with self._lock:
            before = self._others.get(engine_id)
            self._others[engine_id] = time.monotonic(), crews
            if before is None or before[1] != crews:
                self._queues = None

    def forget(self, engine_id: str) -> None:
        """An engine is not there any more."""
        with self._lock:
            if self._others.pop(engine_id, None) is not None:
                self._queues = None

    def queues_for(self, env: str, task: str) -> list[tuple[str, int]]:
        """The queues of tickets whose takers, connected to other engines, run `task`; and how many takers."""
        with self._lock:
            if self._queues is None or time.monotonic() > self._good_until:
                self._make()
            assert self._queues is not None
            return list(self._queues.get((env, task), {}).items())

    def _make(self) -> None:
        now = time.monotonic()
        self._others = {engine: told for engine, told in self._others.items() if told[0] + _GOOD_S > now}
        self._good_until = min((at + _GOOD_S for at, _ in self._others.values()), default=now + _GOOD_S)
        queues: dict[tuple[str, str], dict[str, int]] = {}
        for _, crews in self._others.values():
            for crew in crews:
                for tasks, sync in ((crew.sync_tasks, True), (crew.async_tasks, False)):
                    queue = queue_of(crew.ticket_class, sync=sync)
                    for task in tasks:
                        known = queues.setdefault((crew.env, task), {})
                        known[queue] = known.get(queue, 0) + crew.workers
        self._queues = queues
