"""The journal of a run as its worker sees it: what is recorded already, and what is to be recorded."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterable
from contextvars import Context
from typing import TYPE_CHECKING

import msgspec

from ..errors import DetentError, by_code
from ..model.protocol import Entry, Record
from ..model.task_error import TaskError
from .scope import branch_of, current_branch
from .signals import JournalMismatch

if TYPE_CHECKING:
    from .scope import Scope

__all__ = ["Journal", "Place"]

_decode_error = msgspec.json.Decoder(TaskError).decode

#: One for all runs, as it is held for moments only. The garbage collector may call code of a run meanwhile.
_briefly = threading.RLock()
_NONE: frozenset[str] = frozenset()


class Place:
    """A place in the journal: the key and the number of an entry; `entry`, where it is recorded already."""

    __slots__ = ("entry", "key", "kind", "seq", "target")

    def __init__(self, key: str, kind: str, target: str, seq: int, entry: Entry | None) -> None:
        self.key = key
        self.kind = kind
        self.target = target
        self.seq = seq
        self.entry = entry

    def refusal(self) -> DetentError | None:
        """The error that the engine answered here before."""
        if self.entry is None or self.entry.status != "error" or self.entry.error is None:
            return None
        error = _decode_error(self.entry.error)
        return by_code(error.code, error.message)

    def made(self, **values: object) -> Entry:
        """The entry for this place."""
        return Entry(self.key, self.kind, self.target, self.seq, **values)  # type: ignore[arg-type]  # fields of Entry


class Journal:
    """The entries of one run.

    A branch of a run is sequential, so its entries must come in the order in which they are recorded; another one in
    their place is a mismatch (DESIGN.md section 4). Helper threads and steps have no order: theirs are found by key.

    Parameters:
      scope: the branches of the run.
    """

    __slots__ = (
        "_by_branch",
        "_delivered",
        "_earlier",
        "_order",
        "_same_turn",
        "_scope",
        "_seq",
        "_unordered",
        "_unsent",
        "_untold",
    )

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._seq = 0
        self._order = 0
        self._same_turn = False
        self._by_branch: dict[str, deque[Entry]] | None = None
        self._unordered: dict[str, Entry] | None = None
        self._earlier: dict[str, Entry] | None = None
        self._untold: set[str] | None = None
        self._unsent: list[Entry] | None = None
        self._delivered: list[tuple[str, int]] | None = None

    @property
    def seq(self) -> int:
        """The number of the latest entry that was begun."""
        return self._seq

    def load(self, entries: Iterable[Entry], attempt: int) -> None:
        """What is recorded, in the order of `seq`. Of attempts before `attempt` only what was finished counts."""
        branches: dict[str, deque[Entry]] = {}
        unordered: dict[str, Entry] = {}
        earlier: dict[str, Entry] = {}
        for entry in entries:
            self._seq = max(self._seq, entry.seq + 1)
            self._order = max(self._order, (entry.done or 0) + 1)
            if entry.attempt != attempt:
                if entry.status == "ok" and entry.kind != "retry":
                    earlier[entry.key] = entry
                continue
            branch = branch_of(entry.key)
            if branch is None:
                unordered[entry.key] = entry
            else:
                branches.setdefault(branch, deque()).append(entry)
        self._by_branch = branches or None
        self._untold = _untold(branches)
        self._unordered = unordered or None
        self._earlier = earlier or None

    def begin(self, kind: str, name: str, target: str, *, ordered: bool) -> Place:
        """The place of what the calling branch does next. `ordered`: see `Scope.next_key`.

        Raises `JournalMismatch` when something else is recorded there.
        """
        with _briefly:
            key = self._scope.next_key(name, ordered=ordered)
            entry = self._recorded(key, kind, target, ordered=ordered)
            if entry is not None:
                return Place(key, kind, target, entry.seq, entry)
            self._seq += 1
            entry = self._adopted(key, kind, target)
            return Place(key, kind, target, self._seq, entry)

    def _adopted(self, key: str, kind: str, target: str) -> Entry | None:
        """What an earlier attempt finished here. It belongs to this attempt from now on, in the place where this one
        came to it, so that the attempt is replayed from entries of its own."""
        earlier = self._earlier.get(key) if self._earlier is not None else None
        # A later attempt may go another way. Of triggers the engine decides which of the runs still stand.
        if earlier is None or (earlier.kind, earlier.target) != (kind, target) or kind == "trigger":
            return None
        entry = Entry(key, kind, target, self._seq, value=earlier.value, value_ref=earlier.value_ref)
        self._unsent = [*(self._unsent or ()), entry]
        self._untold = {*(self._untold or ()), key}
        return entry

    def skip(self, name: str, *, ordered: bool) -> None:
        """The calling branch does something under `name` that is not recorded."""
        with _briefly:
            self._scope.next_key(name, ordered=ordered)

    def expects(self, kind: str, name: str) -> bool:
        """Whether the next entry of the calling branch is one of `kind` under this name."""
        with _briefly:
            waiting = self._by_branch.get(current_branch()) if self._by_branch is not None else None
            coming = waiting[0] if waiting else None
            return coming is not None and (coming.kind, coming.key) == (kind, self._scope.coming_key(name))

    def _recorded(self, key: str, kind: str, target: str, *, ordered: bool) -> Entry | None:
        if not ordered:
            entry = self._unordered.pop(key, None) if self._unordered is not None else None
        else:
            waiting = self._by_branch.get(current_branch()) if self._by_branch is not None else None
            entry = waiting[0] if waiting else None
        if entry is not None:
            if (entry.key, entry.kind, entry.target) != (key, kind, target):
                raise JournalMismatch(entry.key, _shown(entry.kind, entry.target), _shown(kind, target))
            if ordered:
                assert self._by_branch is not None
                branch = current_branch()
                self._by_branch[branch].popleft()
                if not self._by_branch[branch]:
                    del self._by_branch[branch]
        return entry

    def unread(self) -> Entry | None:
        """The first entry of the main task that has not been come to."""
        waiting = self._by_branch.get("") if self._by_branch is not None else None
        return waiting[0] if waiting else None

    def is_replaying(self) -> bool:
        """Whether the calling branch, or one that it comes from, is before its last recorded entry."""
        if self._by_branch is None:
            return False
        branch = current_branch()
        while branch:
            if branch in self._by_branch:
                return True
            branch = branch.rpartition(".")[0]
        return "" in self._by_branch

    def orders(self) -> list[tuple[int, Entry]]:
        """The recorded entries that have a place in the order of what the run was told, in that order."""
        entries = [entry for waiting in (self._by_branch or {}).values() for entry in waiting]
        return sorted(
            ((entry.done, entry) for entry in entries if entry.done is not None), key=lambda ordered: ordered[0]
        )

    def was_told(self, entry: Entry) -> bool:
        """Whether the run certainly went on after `entry` the last time."""
        return entry.done is not None or self._untold is None or entry.key not in self._untold

    def has_left(self) -> bool:
        """Whether the run gave up a wait or a step from inside."""
        return any(entry.status == "left" for waiting in (self._by_branch or {}).values() for entry in waiting)

    # What is to be recorded.

    def add(self, entry: Entry) -> None:
        """Record `entry` together with the next word of the run to the engine."""
        with _briefly:
            self._unsent = [*(self._unsent or ()), entry]

    @property
    def has_unsent(self) -> bool:
        """Whether entries have been added that no request has taken along yet."""
        return self._unsent is not None

    def next_order(self) -> int | None:
        """The place of what the run is told now; None while it has one branch, where order follows from the code.

        What it is told in one turn of the loop has numbers without a gap, so that it is told so again.
        """
        if not self._scope.branched:
            return None
        with _briefly:
            self._order += 1 if self._same_turn else 2
            if not self._same_turn:
                self._same_turn = True
                # After all that is ready by now. In an empty context: it is none of the run's.
                asyncio.get_running_loop().call_soon(self._end_turn, context=Context())
            return self._order

    def _end_turn(self) -> None:
        self._same_turn = False

    def delivered(self, key: str) -> None:
        """The run is told the result of `key` now."""
        order = self.next_order()
        if order is not None:
            with _briefly:
                self._delivered = [*(self._delivered or ()), (key, order)]

    def take(self, run_id: str, epoch: int) -> Record | None:
        """What has not been sent yet, as a request of the run."""
        if self._unsent is None and self._delivered is None:
            return None
        with _briefly:
            unsent, self._unsent = self._unsent, None
            delivered, self._delivered = self._delivered, None
        return Record(run_id, epoch, unsent or [], delivered or [])


def _untold(branches: dict[str, deque[Entry]]) -> set[str]:
    """The entries after which no other came: at the end of each branch, unless the main task made branches after it."""
    first_of_branch = min((waiting[0].seq for branch, waiting in branches.items() if branch), default=None)
    ends = [waiting[-1] for waiting in branches.values()]
    return {end.key for end in ends if branch_of(end.key) or first_of_branch is None or end.seq > first_of_branch}


def _shown(kind: str, target: str) -> str:
    return f"{kind} {target!r}" if target else kind
