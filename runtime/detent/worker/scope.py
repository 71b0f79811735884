"""The asyncio tasks of one run: their place in the journal, and whether all of them wait for the engine.

Each task gets a number when it is created, so that the branches of a ``gather`` count on their own and the order in
which they finish cannot matter (C7).
"""

from __future__ import annotations

import re
from asyncio import AbstractEventLoop, Task, TimerHandle
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any

from .few import Few

__all__ = ["Scope", "branch_of", "current_branch", "current_scope", "enter", "enter_end", "scoped_task_factory"]

#: What the key of an entry begins with when it was made in a branch: the numbers of the tasks that led there.
_BRANCH = re.compile(r"(\d+(?:\.\d+)*)/")

#: ... and when it was made in a helper thread or a step of a branch.
_APART = re.compile(r"(\d+(?:\.\d+)*)?\*/")

#: Functions of the standard library in which a task waits for others.
_JOINS = {
    ("asyncio.tasks", "_wait"),
    ("asyncio.tasks", "wait"),
    ("asyncio.tasks", "wait_for"),
    # Branches let each other go on by these; Event is left out, since network code waits for the world by it.
    ("asyncio.locks", "acquire"),
    ("asyncio.queues", "get"),
    ("asyncio.queues", "put"),
    ("asyncio.queues", "join"),
    ("asyncio.tasks", "_wait_for_one"),
    ("asyncio.taskgroups", "__aexit__"),
    ("asyncio.taskgroups", "_aexit"),
}

#: Timers that are kept before those that are over are swept out.
_SWEEP = 16


class Scope:
    """The live tasks of a run, and those that are blocked in a durable wait."""

    __slots__ = ("_children", "_uses", "blocked", "branched", "on_end", "tasks", "timers")

    def __init__(self) -> None:
        self.tasks: Few[Task[Any]] = Few()
        self.blocked: Few[Task[Any]] = Few()
        #: Whether it ever had a branch besides its main task, so that the order of what it is told matters.
        self.branched = False
        #: Called when a task of the run has ended, while set.
        self.on_end: Callable[[], None] | None = None
        #: The timers that the run has set on the loop.
        self.timers: list[TimerHandle] | None = None
        #: How many branches each branch has made, and how often it has used each name.
        self._children: dict[str, int] | None = None
        self._uses: dict[str, int] = {}

    def timed(self, timer: TimerHandle) -> None:
        """The run has set a timer."""
        if self.timers is None:
            self.timers = [timer]
            return
        if len(self.timers) >= _SWEEP:
            now = self.timers[0]._loop.time()  # type: ignore[attr-defined]  # the one loop of the worker
            self.timers = [one for one in self.timers if not one.cancelled() and one.when() > now]
        self.timers.append(timer)

    def next_timer(self) -> TimerHandle | None:
        """The earliest timer that is still to come."""
        if not self.timers:
            return None
        now = self.timers[0]._loop.time()  # type: ignore[attr-defined]  # likewise
        self.timers = [timer for timer in self.timers if not timer.cancelled() and timer.when() > now]
        return min(self.timers, key=lambda timer: timer.when(), default=None)

    def wake_ms(self) -> int | None:
        """In how many milliseconds the earliest timer is due; None without one."""
        timer = self.next_timer()
        if timer is None:
            return None
        left: float = timer.when() - timer._loop.time()  # type: ignore[attr-defined]  # likewise
        return max(0, round(left * 1000))

    def call_timer(self) -> bool:
        """Call the earliest timer now, as if its time had come; False when there is none."""
        timer = self.next_timer()
        if timer is None:
            return False
        # asyncio has no other way to call a timer early.
        callback, arguments, context = timer._callback, timer._args, timer._context  # type: ignore[attr-defined]
        loop = timer._loop  # type: ignore[attr-defined]  # likewise
        timer.cancel()
        loop.call_soon(callback, *arguments, context=context)
        return True

    def next_key(self, name: str, *, ordered: bool = True) -> str:
        """The journal key of the next use of `name` in the current branch: ``branch/name#n``.

        `ordered`: the caller is the branch itself, not a helper thread of it or a step, whose uses count apart.
        """
        prefix = self._prefix(name, ordered)
        uses = self._uses[prefix] = self._uses.get(prefix, 0) + 1
        return f"{prefix}#{uses}"

    def coming_key(self, name: str) -> str:
        """What `next_key` would give."""
        prefix = self._prefix(name, True)
        return f"{prefix}#{self._uses.get(prefix, 0) + 1}"

    @staticmethod
    def _prefix(name: str, ordered: bool) -> str:
        path = current_path.get()
        if not ordered:
            return f"{path}*/{name}"
        if path:
            return f"{path}/{name}"
        # A name that looks like a branch must not be taken for one.
        return f"./{name}" if name.startswith("./") or _BRANCH.match(name) or _APART.match(name) else name

    def next_child(self) -> str:
        """The path of the next task that the current branch creates."""
        path = current_path.get()
        self.branched = True
        if self._children is None:
            self._children = {}
        number = self._children[path] = self._children.get(path, 0) + 1
        return f"{path}.{number}" if path else str(number)

    def is_alone(self) -> bool:
        """Whether the current task is the only one of the run."""
        return len(self.tasks) <= 1

    def is_waiting(self, loop: AbstractEventLoop) -> bool:
        """Whether every task is blocked in a durable wait, or only waits for tasks that are, and none is about to be
        told of one that has ended."""
        if not self.blocked or not all(task.done() or self._waits(task) for task in self.tasks):
            return False
        ready: Any = loop._ready  # type: ignore[attr-defined]  # what the loop calls next; asyncio does not tell it
        return not any(handle._context.get(current_scope) is self for handle in ready if not handle._cancelled)

    def ended(self, task: Task[Any]) -> None:
        """A task is over."""
        self.tasks.discard(task)
        if self.on_end is not None:
            self.on_end()

    def _waits(self, task: Task[Any]) -> bool:
        waits_for: Any = getattr(task, "_fut_waiter", None)
        # What it waited for may be there, or be cancelled: then it goes on in this turn of the loop.
        if waits_for is None or waits_for.done():
            return False
        return task in self.blocked or self._joins(task, waits_for)

    def _joins(self, task: Task[Any], waits_for: Any) -> bool:
        """Whether `task` only waits for other tasks: in ``gather``, ``wait``, a task group, or by awaiting one."""
        if isinstance(waits_for, Task):
            return waits_for in self.tasks
        if type(waits_for).__name__ == "_GatheringFuture":
            return True
        inner: Any = task.get_coro()
        while inner is not None:
            code_frame = getattr(inner, "cr_frame", None)
            if code_frame is not None:
                place = (code_frame.f_globals.get("__name__", ""), code_frame.f_code.co_name)
                if place in _JOINS:
                    return True
            inner = getattr(inner, "cr_await", None)
        return False


def branch_of(key: str) -> str | None:
    """The branch whose order the entry `key` belongs to; None for one of a helper thread or a step."""
    found = _BRANCH.match(key)
    if found is not None:
        return found.group(1)
    return None if _APART.match(key) else ""


def current_branch() -> str:
    """The branch of the calling code; empty for the main task of a run."""
    return current_path.get()


def enter(scope: Scope) -> None:
    """The calling context is that of the main task of a run."""
    current_scope.set(scope)
    if current_path.get():
        current_path.set("")


def enter_end() -> None:
    """The code of the task is over: what its hooks do from now on is a branch of its own."""
    current_path.set("0")


current_scope: ContextVar[Scope | None] = ContextVar("detent_scope", default=None)
current_path: ContextVar[str] = ContextVar("detent_scope_path", default="")


def scoped_task_factory(
    loop: AbstractEventLoop, coro: Coroutine[Any, Any, Any], *, context: Context | None = None, **options: Any
) -> Task[Any]:
    """Makes tasks that belong to the scope of the run in which they are created."""
    inside = copy_context() if context is None else context
    scope = inside.get(current_scope)
    if scope is None:
        return Task(coro, loop=loop, context=inside, **options)
    if context is not None:
        # A context that the caller keeps must not be given another path.
        inside = context.copy()
    inside.run(current_path.set, scope.next_child())
    task = Task(coro, loop=loop, context=inside, **options)
    scope.tasks.add(task)
    task.add_done_callback(scope.ended)
    return task
