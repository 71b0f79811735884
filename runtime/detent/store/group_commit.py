"""Group commit: operations that arrive during a commit share the next one (DESIGN.md, invariant 1).

There is no writer thread and no timer. A caller that finds nobody committing leads: it takes all that is
waiting, runs it in one transaction and hands out the results; then it wakes its group, and the first of those
that came meanwhile leads the next one. An idle store thus commits at once, in the caller's own thread; under
load the group grows by itself with the time that a commit takes.

Batches of the engine's loops stand in a line of their own and share their transaction with nobody. The two lines
take turns: whoever asks while batch follows batch waits for one of them at the most, and the batches go on under
any load.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Lock
from typing import Any, Protocol

from ..errors import StoreError
from .store import Tx

__all__ = ["GroupCommit", "Session"]

Operation = Callable[[Tx], Any]
Action = Callable[[], None]

logger = logging.getLogger("detent.store")


class Session(Protocol):
    """A connection that can hold one transaction."""

    def begin(self) -> Tx: ...

    def commit(self) -> list[Action]:
        """Make it durable; what is to be done now that it is."""
        ...

    def rollback(self) -> None: ...

    def translate(self, error: Exception) -> Exception:
        """A driver's error as one of detent's, or the error itself."""
        ...


class _Place:
    """The place of one caller's operations in the group."""

    __slots__ = ("done", "leads", "operations", "results", "turn", "yields")

    def __init__(self, operations: Sequence[Operation], yields: bool = False) -> None:
        self.operations = operations
        self.yields = yields
        self.results: list[Any] = []
        self.done = False
        self.leads = False
        #: Held while the caller has to wait; let go when it is done, or is to lead.
        self.turn: Lock | None = None


class GroupCommit:
    """Runs operations in shared transactions over one `session`.

    Parameters:
      session: the one connection that writes.
      most: how many operations share a transaction at the most.
    """

    def __init__(self, session: Session, most: int = 512) -> None:
        self._session = session
        self._most = most
        self._waiting: deque[_Place] = deque()
        self._batches: deque[_Place] = deque()
        #: Whether the last turn was that of a batch.
        self._yielded = False
        self._led = False
        self._closed = False
        #: Set once it is closed and nobody leads any more.
        self._over = Event()
        self._lock = Lock()

    def close(self) -> None:
        """Finish what was asked for before, and take nothing more: from then on nobody uses the session."""
        with self._lock:
            self._closed = True
            if not self._led:
                self._over.set()
        self._over.wait()

    def submit(self, operations: Sequence[Operation], *, yields: bool = False) -> list[Any]:
        """Run `operations` in order. `yields`: they are a batch that can wait, and get a transaction of their own.

        Returns their results after the commit, an exception in the place of one that failed.
        """
        place = _Place(operations, yields)
        with self._lock:
            if self._closed:
                return [StoreError("the store is closed, because its process stops") for _ in operations]
            self._line(place).append(place)
            if self._led:
                place.turn = Lock()
                place.turn.acquire()
            else:
                self._led = place.leads = True
        if place.turn is not None:
            self._wait(place, place.turn)
        if place.leads:
            self._lead(place)
        return place.results

    def _line(self, place: _Place) -> deque[_Place]:
        return self._batches if place.yields else self._waiting

    def _wait(self, place: _Place, turn: Lock) -> None:
        try:
            turn.acquire()
        except BaseException:
            # Ctrl-C: nobody will be there for the turn that may be given, or may have been given just now.
            with self._lock:
                line = self._line(place)
                if place in line:
                    line.remove(place)
                if place.leads:
                    self._appoint()
            raise

    def _lead(self, leader: _Place) -> None:
        # Whoever leads is the first of its line.
        line = self._line(leader)
        group = [line.popleft()]
        size = len(leader.operations)
        while line and size < self._most and not leader.yields:
            group.append(line.popleft())
            size += len(group[-1].operations)
        actions: list[Action] = []
        try:
            self._commit(group, actions)
        finally:
            with self._lock:
                self._yielded = leader.yields
                self._appoint()
            for place in group:
                _dismiss(place)
            for action in actions:
                _act(action)

    def _appoint(self) -> None:
        """The first of those that wait leads from now on, of a batch and the others in turn. Called under the lock."""
        line = self._waiting if self._yielded else self._batches
        line = line or self._batches or self._waiting
        self._led = bool(line)
        if self._closed and not self._led:
            self._over.set()
        if self._led:
            heir = line[0]
            heir.leads = True
            if heir.turn is not None:
                heir.turn.release()

    def _commit(self, group: list[_Place], actions: list[Action]) -> None:
        try:
            self._together(group, actions)
        except Exception as error:
            operations = sum(len(place.operations) for place in group)
            if operations == 1:
                failure = self._session.translate(error)
                for place in group:
                    place.results = [failure for _ in place.operations]
                    place.done = True
                return
            # Each has its own transaction now, so that a bad one fails alone.
            for place in group:
                self._alone(place, actions)
        except BaseException:
            # Ctrl-C in the leader's thread: it gives up what it asked for itself, not what the others did.
            for place in group[1:]:
                self._alone(place, actions)
            raise

    def _together(self, group: list[_Place], actions: list[Action]) -> None:
        try:
            tx = self._session.begin()
            outcomes = [[operation(tx) for operation in place.operations] for place in group]
            actions += self._session.commit()
        except BaseException:
            self._session.rollback()
            raise
        for place, results in zip(group, outcomes, strict=True):
            place.results = results
            place.done = True

    def _alone(self, place: _Place, actions: list[Action]) -> None:
        results: list[Any] = []
        for operation in place.operations:
            try:
                result = operation(self._session.begin())
                actions += self._session.commit()
            except Exception as error:
                self._session.rollback()
                results.append(self._session.translate(error))
            except BaseException:
                self._session.rollback()
                raise
            else:
                results.append(result)
        place.results = results
        place.done = True


def _dismiss(place: _Place) -> None:
    if not place.done:
        error = StoreError("the commit was interrupted before this was written; nothing of it is stored, ask again")
        place.results = [error for _ in place.operations]
        place.done = True
    if place.turn is not None and not place.leads:
        place.turn.release()


def _act(action: Action) -> None:
    try:
        action()
    except Exception:
        # What it belongs to is durable: its caller must not hear that it failed, and the others wait for
        # theirs.
        logger.exception("an action after a commit failed")
