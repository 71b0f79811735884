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
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice, takewhile
from threading import Event, Lock
from typing import Any, NamedTuple, Protocol

from ..errors import StoreError
from .store import Tx

__all__ = ["Committed", "GroupCommit", "Joint", "Session"]

Operation = Callable[[Tx], Any]
Action = Callable[[], None]

logger = logging.getLogger("detent.store")


#: A store where somebody had to wait within so many seconds is busy.
_BUSY_S = 0.05


class Committed(NamedTuple):
    """A transaction that others can see. `actions`: what is to be done once it is durable. `settle`: waits for that;
    None when it is so already."""

    actions: list[Action]
    settle: Action | None = None


class Joint(Protocol):
    """An operation that is done together with others of its kind, where that is faster."""

    #: Operations of the same kind can be done together. Those without a kind may have `is_patient`: joint ones that
    #: stand behind them may be done first.
    kind: str

    def __call__(self, tx: Tx) -> Any: ...

    def together(self, tx: Tx, operations: Sequence[Any]) -> list[Any]:
        """Do `operations`, this one and others of its kind; the results in order."""
        ...


class Session(Protocol):
    """A connection that can hold one transaction."""

    #: Whether operations of one kind are done together.
    joins: bool

    def begin(self) -> Tx: ...

    def commit(self, busy: bool) -> Committed:
        """Let all see it. `busy`: others wait, so that it need not be durable when this returns."""
        ...

    def rollback(self) -> None: ...

    def may_repeat(self, error: Exception) -> bool:
        """Whether the same operation may be run again at once."""
        ...

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
        #: How many have handed the lead on and wait until what they committed is durable.
        self._settling = 0
        #: When somebody last had to wait.
        self._crowded_at = 0.0
        self._closed = False
        #: Set once it is closed and nobody leads any more.
        self._over = Event()
        self._lock = Lock()

    def close(self) -> None:
        """Finish what was asked for before, and take nothing more: from then on nobody uses the session."""
        with self._lock:
            self._closed = True
            self._see_whether_over()
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
                self._crowded_at = time.monotonic()
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
        commits: list[Committed] = []
        try:
            self._commit(group, commits)
        finally:
            waits = [commit.settle for commit in commits if commit.settle is not None]
            with self._lock:
                self._yielded = leader.yields
                self._settling += bool(waits)
                self._appoint()
            settled = False
            try:
                settled = not waits or self._settle(group, waits[-1])
            finally:
                for place in group:
                    _dismiss(place)
            for commit in commits if settled else ():
                for action in commit.actions:
                    _act(action)

    def _settle(self, group: list[_Place], settle: Action) -> bool:
        """Wait until the commits of `group` are durable; where that fails, its callers hear that nobody knows."""
        try:
            settle()
        except BaseException as error:
            interrupted = StoreError("the wait for the disk was interrupted: this may be stored or not, ask again")
            failure = self._session.translate(error) if isinstance(error, Exception) else interrupted
            for place in group:
                place.results = [failure for _ in place.operations]
                place.done = True
            if failure is interrupted:
                raise
            return False
        else:
            return True
        finally:
            with self._lock:
                self._settling -= 1
                self._see_whether_over()

    def _appoint(self) -> None:
        """The first of those that wait leads from now on, of a batch and the others in turn. Called under the lock."""
        line = self._waiting if self._yielded else self._batches
        line = line or self._batches or self._waiting
        self._led = bool(line)
        self._see_whether_over()
        if self._led:
            heir = line[0]
            heir.leads = True
            if heir.turn is not None:
                heir.turn.release()

    def _see_whether_over(self) -> None:
        if self._closed and not self._led and not self._settling:
            self._over.set()

    def _is_busy(self) -> bool:
        return bool(self._waiting or self._batches) or time.monotonic() - self._crowded_at < _BUSY_S

    def _commit(self, group: list[_Place], commits: list[Committed]) -> None:
        try:
            self._together(group, commits)
        except Exception as error:
            operations = sum(len(place.operations) for place in group)
            if operations == 1 and not self._session.may_repeat(error):
                failure = self._session.translate(error)
                for place in group:
                    place.results = [failure for _ in place.operations]
                    place.done = True
                return
            # Each has its own transaction now, so that a bad one fails alone.
            for place in group:
                self._alone(place, commits)
        except BaseException:
            # Ctrl-C in the leader's thread: it gives up what it asked for itself, not what the others did.
            for place in group[1:]:
                self._alone(place, commits)
            raise

    def _together(self, group: list[_Place], commits: list[Committed]) -> None:
        try:
            tx = self._session.begin()
            outcomes = self._results(tx, group)
            commits.append(self._session.commit(self._is_busy()))
        except BaseException:
            self._session.rollback()
            raise
        for place, results in zip(group, outcomes, strict=True):
            place.results = results
            place.done = True

    def _results(self, tx: Tx, group: list[_Place]) -> list[list[Any]]:
        if not self._session.joins:
            return [[operation(tx) for operation in place.operations] for place in group]
        # Callers that ask at once have no order among them, so what may be done first with each is done first.
        early = [_early(place.operations) for place in group]
        done: dict[int, Any] = {}
        kinds: dict[str, list[Joint]] = {}
        for joints in early:
            for joint in joints:
                kinds.setdefault(joint.kind, []).append(joint)
        for joints in kinds.values():
            done.update(zip(map(id, joints), joints[0].together(tx, joints), strict=True))
        return [_in_order(tx, place.operations, done) for place in group]

    def _alone(self, place: _Place, commits: list[Committed]) -> None:
        results: list[Any] = []
        for operation in place.operations:
            try:
                result = operation(self._session.begin())
                commits.append(self._session.commit(True))
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


def _early(operations: Sequence[Operation]) -> list[Any]:
    """Those of `operations` that can be done before all others, together with others of their one kind."""
    early: list[Any] = []
    for operation in operations:
        kind = getattr(operation, "kind", None)
        if kind is None:
            if not getattr(operation, "is_patient", False):
                break
        elif early and early[0].kind != kind:
            break
        else:
            early.append(operation)
    return early


def _in_order(tx: Tx, operations: Sequence[Operation], done: dict[int, Any]) -> list[Any]:
    """The results of `operations`, of which some are `done` already; neighbours of one kind are done together."""
    place = 0
    while place < len(operations):
        operation = operations[place]
        kind = getattr(operation, "kind", None)
        if id(operation) in done:
            place += 1
        elif kind is None:
            done[id(operation)] = operation(tx)
            place += 1
        else:
            behind = islice(operations, place, None)
            joints: list[Any] = list(takewhile(lambda one: getattr(one, "kind", None) == kind, behind))  # noqa: B023  # used at once
            done.update(zip(map(id, joints), joints[0].together(tx, joints), strict=True))
            place += len(joints)
    return [done[id(operation)] for operation in operations]


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
