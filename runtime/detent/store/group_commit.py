"""Group commit: operations that arrive while a commit is under way share the next one (DESIGN.md invariant 1).

There is no writer thread and no timer. The caller that finds nobody committing becomes the leader: it takes all that
is waiting, runs it in one transaction and hands out the results. An idle store thus commits at once, in the caller's
own thread; under load the group grows by itself with the time that a commit takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Protocol

from .store import Tx

__all__ = ["GroupCommit", "Session"]

Operation = Callable[[Tx], Any]


class Session(Protocol):
    """A connection that can hold one transaction."""

    def begin(self) -> Tx: ...

    def commit(self) -> list[Callable[[], None]]:
        """Make it durable; what is to be done now that it is."""
        ...

    def rollback(self) -> None: ...

    def translate(self, error: BaseException) -> BaseException:
        """A driver's error as one of detent's, or the error itself."""
        ...


class _Place:
    """The place of one caller's operations in the group."""

    __slots__ = ("done", "operations", "results")

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = operations
        self.results: list[Any] = []
        self.done = False


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
        self._leading = Lock()

    def submit(self, operations: Sequence[Operation]) -> list[Any]:
        """Run `operations` in order; their results after the commit, an exception in the place of one that failed."""
        place = _Place(operations)
        self._waiting.append(place)
        while not place.done:
            actions: list[Callable[[], None]] = []
            with self._leading:
                if not place.done:
                    actions = self._lead()
            for action in actions:
                action()
        return place.results

    def _lead(self) -> list[Callable[[], None]]:
        group: list[_Place] = []
        size = 0
        while self._waiting and size < self._most:
            group.append(self._waiting.popleft())
            size += len(group[-1].operations)
        try:
            return self._together(group)
        except BaseException as error:
            if size == 1:
                group[0].results = [self._session.translate(error)]
                group[0].done = True
                return []
        return self._one_by_one(group)

    def _together(self, group: list[_Place]) -> list[Callable[[], None]]:
        try:
            tx = self._session.begin()
            for place in group:
                place.results = [operation(tx) for operation in place.operations]
            actions = self._session.commit()
        except BaseException:
            self._session.rollback()
            raise
        for place in group:
            place.done = True
        return actions

    def _one_by_one(self, group: list[_Place]) -> list[Callable[[], None]]:
        """After a failed group each operation has its own transaction, so that a bad one fails alone."""
        actions: list[Callable[[], None]] = []
        for place in group:
            place.results = [self._alone(operation, actions) for operation in place.operations]
            place.done = True
        return actions

    def _alone(self, operation: Operation, actions: list[Callable[[], None]]) -> Any:
        try:
            result = operation(self._session.begin())
            actions += self._session.commit()
        except BaseException as error:
            self._session.rollback()
            return self._session.translate(error)
        return result
