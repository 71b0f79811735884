"""Runs in processes of their own: handed to cells, watched and, where need be, killed from outside."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import msgspec

from ..engine import failpoints
from ..model.ids import new_id
from ..model.limits import CRASHES
from ..model.machine import MACHINES, Machine
from ..model.protocol import Answer, Assign, CancelPush, Failure, Gone, Grant, Request, Verdict
from .confinement import used_bytes
from .exit_cause import cause_of
from .fork_server import Forked, ForkServer
from .frame import Stop
from .link import ignore, is_passing

if TYPE_CHECKING:
    from ..sdk.task import Task
    from .worker import Worker

__all__ = ["Cell", "Cells"]

logger = logging.getLogger("detent.worker")

#: How often the memory of a limited cell is looked at, and how often any other is, in seconds.
_WATCH_S, _LOOK_S = 0.05, 0.25
#: Runs of tasks that are not isolated, in cells at once because they lost a worker.
_SUSPECTS = 8
#: What a cell is given beyond the grace in which it stops by itself, and again between SIGTERM and SIGKILL, in seconds.
_OVERTIME_S, _TERM_S = 1.0, 0.5
#: How long the hooks of a stopped run may take, in seconds; its cell says that they run.
_HOOKS_S = 20.0
#: How long a cell may take to start, and to end once it has said that its run is over, in seconds.
_START_S, _END_S = 30.0, 5.0
#: Before the next try of what failed, in seconds.
_AGAIN_S = 1.0
_MIB = 1 << 20


class Cell:
    """A run in a process of its own, as the worker that claimed it sees it."""

    def __init__(self, task: Task[Any, Any], grant: Grant, machine: Machine | None, on_end: Callable[[], None]) -> None:
        self.task = task
        self.grant = grant
        self.run_id = grant.run_id
        self.epoch = grant.epoch
        self.machine = machine
        self.on_end = on_end
        self.worker_id = new_id("worker")
        #: What the engine said to it being handed over.
        self.assigned: Future[Answer] = Future()
        #: Held while it is told something, or is about to be.
        self.lock = threading.Lock()
        self.process: Forked | None = None
        #: Whether the run is there, so that it can be told to stop.
        self.has_run = False
        self.stop: Stop | None = None
        #: When to kill it, by the monotonic clock.
        self.kill_at: float | None = None
        self.killed: Verdict | None = None
        self.cause = ""
        #: Whether it has said that its run has ended, is parked, or is handed back.
        self.over = False
        #: Whether it is to end because its worker does: what happens to it then is not the run's fault.
        self.leaving = False

    @property
    def is_suspect(self) -> bool:
        """Whether it is here because it may have taken a worker down."""
        return self.task.isolation == "none"

    def kill_within(self, seconds: float) -> None:
        """Kill it in so many seconds, if not before."""
        at = time.monotonic() + seconds
        self.kill_at = at if self.kill_at is None else min(self.kill_at, at)


class Cells:
    """The cells of a worker, each watched by a thread.

    Parameters:
      make_server: starts the fork server that they come from.
    """

    def __init__(self, worker: Worker, make_server: Callable[[], ForkServer]) -> None:
        self._worker = worker
        self._make_server = make_server
        self._server: ForkServer | None = None
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._cells: dict[str, Cell] = {}
        self._suspects = 0
        #: Suspects that wait for others to end.
        self._waiting: deque[Cell] = deque()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Have the fork server ready before the first run asks for it."""
        threading.Thread(target=self._ready_server, name="detent-cells", daemon=True).start()

    def wants(self, task: Task[Any, Any], grant: Grant) -> bool:
        """Whether this run is to execute in a cell: its task says so, or it has lost two workers in a row and may take
        the next one down, too (C14). After the first loss it goes on in a worker, since that is quicker."""
        return task.isolation == "process" or grant.crashes >= CRASHES - 1

    def execute(self, task: Task[Any, Any], grant: Grant, on_end: Callable[[], None]) -> None:
        """Execute a run that this worker has claimed; `on_end` is called when it does not execute here any more."""
        preset = MACHINES.get(self._worker.machine_of(task, grant) or "")
        cell = Cell(task, grant, preset if task.isolation == "process" else None, on_end)
        with self._lock:
            self._cells[cell.run_id] = cell
        # Before the process is there: what becomes of this worker meanwhile is not the run's fault.
        self._worker.send([(_assignment(cell), cell.assigned.set_result)])
        with self._lock:
            if cell.is_suspect and self._suspects >= _SUSPECTS:
                self._waiting.append(cell)
                return
            self._suspects += cell.is_suspect
        self._begin(cell)

    def cancel(self, push: CancelPush) -> bool:
        """Stop a run, if it is in a cell."""
        with self._lock:
            cell = self._cells.get(push.run_id)
        if cell is None or cell.epoch != push.epoch:
            return False
        with cell.lock:
            if cell.stop is None:
                cell.stop = Stop("CANCELED", push.reason or "the run was cancelled")
                cell.kill_within(self._worker.options.stop_grace_s + _OVERTIME_S)
                self._tell_stop(cell)
        return True

    def is_idle(self) -> bool:
        return not self._cells

    def drain(self, grace_s: float) -> None:
        """Let the runs finish for `grace_s` seconds; their cells hand back the rest."""
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
            cells = [cell for cell in self._cells.values() if cell not in waiting]
        for cell in waiting:
            self._worker.send([(Gone(cell.worker_id, "its worker ends", stopped=True), ignore)])
            self._end(cell)
        for cell in cells:
            with cell.lock:
                cell.leaving = True
                cell.kill_within(grace_s + _OVERTIME_S)
                if cell.process is not None:
                    cell.process.tell(f"drain {grace_s}")

    def stop(self) -> None:
        """Kill all of them."""
        self._stopped.set()
        with self._starting:
            if self._server is not None:
                self._server.close()

    # One cell, on a thread of its own.

    def _begin(self, cell: Cell) -> None:
        threading.Thread(target=self._live, args=(cell,), name="detent-cell", daemon=True).start()

    def _live(self, cell: Cell) -> None:
        try:
            self._execute(cell)
        except Exception:
            logger.exception("run %s could not be executed in a process of its own", cell.run_id)
            if cell.process is not None:
                cell.process.kill()
        finally:
            self._tell_end(cell)
            with self._lock:
                self._suspects -= cell.is_suspect
                has_room = self._waiting and self._suspects < _SUSPECTS
                following = self._waiting.popleft() if has_room else None
                self._suspects += following is not None
            self._end(cell)
            if following is not None:
                self._begin(following)

    def _end(self, cell: Cell) -> None:
        with self._lock:
            del self._cells[cell.run_id]
        cell.on_end()
        self._worker.notify_idle()

    def _execute(self, cell: Cell) -> None:
        worker = self._worker
        try:
            process = self._start(cell)
        except (OSError, TimeoutError) as error:
            logger.warning("no process can be started for run %s: %s; it is queued again", cell.run_id, error)
            if cell.process is not None:
                cell.process.kill()
            cell.leaving = True
            self._stopped.wait(_AGAIN_S)
            return
        answer = cell.assigned.result()
        if is_passing(answer):
            answer = self._insist(_assignment(cell))
        if isinstance(answer, Failure):
            # It was cancelled for too long, or this worker is not believed to live any more.
            cell.leaving = True
            process.kill()
            return
        most = worker.max_duration_of(cell.task, cell.grant)
        with cell.lock:
            if most is not None:
                left = max(0, most - cell.grant.used_ms) / 1000
                cell.kill_within(left + worker.options.stop_grace_s + _OVERTIME_S)
            process.tell(f"run {msgspec.json.encode(cell.grant).decode()}")
            cell.has_run = True
            self._tell_stop(cell)
        self._watch(cell, process)

    def _start(self, cell: Cell) -> Forked:
        """A cell that is connected to the engine. Errors: `OSError`, `TimeoutError`."""
        machine = [] if cell.machine is None else ["--machine", cell.machine.name]
        # Fail points are for the worker that claims: a cell would pass them anew each time it is started again.
        unarmed = {failpoints.VARIABLE: ""}
        process = self._ready_server().fork(cell.worker_id, ["--parent", self._worker.worker_id, *machine], unarmed)
        with cell.lock:
            cell.process = process
            if cell.leaving:
                process.tell("drain 0")
        if not process.ready(_START_S):
            raise OSError(f"it ended at once ({cause_of(process.wait())})")
        return process

    def _ready_server(self) -> ForkServer:
        with self._starting:
            if self._stopped.is_set():
                raise BrokenPipeError("the worker ends")
            if self._server is None or self._server.ended:
                self._server = self._make_server()
            return self._server

    def _tell_stop(self, cell: Cell) -> None:
        if cell.stop is not None and cell.has_run and cell.process is not None:
            cell.process.tell(f"stop {msgspec.json.encode(cell.stop).decode()}")

    def _watch(self, cell: Cell, process: Forked) -> None:
        """Come back when the cell has ended."""
        process.control.settimeout(_LOOK_S if cell.machine is None else _WATCH_S)
        while True:
            try:
                said = process.control.recv(256)
            except TimeoutError:
                said = None
            if said == b"":
                return
            for word in (said or b"").split():
                self._heard(cell, word)
            if cell.killed is None and not cell.over:
                self._judge_memory(cell, process)
            if cell.kill_at is not None and time.monotonic() >= cell.kill_at:
                self._kill(cell, process)

    def _heard(self, cell: Cell, word: bytes) -> None:
        with cell.lock:
            if word == b"over":
                cell.over = True
                cell.kill_at = time.monotonic() + _END_S
            elif word == b"hooks" and cell.killed is None and not cell.leaving:
                cell.kill_at = time.monotonic() + _HOOKS_S + _OVERTIME_S

    def _kill(self, cell: Cell, process: Forked) -> None:
        """Its time is over: what it has started is asked to end, then all is killed."""
        if cell.killed is not None or cell.over or cell.leaving:
            process.kill()
            cell.kill_at = None
            return
        if cell.stop is not None:
            cell.cause, cell.killed = cell.stop.reason, Verdict("CANCELED", "canceled")
        else:
            most = self._worker.max_duration_of(cell.task, cell.grant) or 0
            cell.cause = f"the attempt used more than its max_duration of {most / 1000:g} s; its process was killed"
            cell.killed = Verdict("TIMED_OUT", "timed_out")
        process.signal(signal.SIGTERM)
        cell.kill_at = time.monotonic() + _TERM_S

    def _judge_memory(self, cell: Cell, process: Forked) -> None:
        machine = cell.machine
        if machine is None:
            return
        limit = machine.memory_mb * _MIB
        used = used_bytes(process.pid, limit)
        if used > limit:
            cell.killed = Verdict("CRASHED", "out_of_memory", self._worker.larger_machine(cell.task, cell.grant))
            cell.cause = (
                f"out of memory: used {used / _MIB:,.0f} of {machine.memory_mb:,} MB on machine {machine.name!r}"
            )
            process.kill()

    # What the engine hears.

    def _tell_end(self, cell: Cell) -> None:
        code = 0 if cell.process is None else cell.process.wait()
        stopped = (cell.over and code == 0) or cell.leaving
        if self._stopped.is_set():
            return
        if cell.killed is not None and not stopped:
            self._insist(Gone(cell.worker_id, cell.cause, verdict=cell.killed))
        else:
            self._insist(Gone(cell.worker_id, cause_of(code), stopped))

    def _insist(self, request: Request) -> Answer:
        """The answer to a request, which is said again while the store cannot take it."""
        while True:
            answered: Future[Answer] = Future()
            self._worker.send([(request, answered.set_result)])
            answer = answered.result()
            if not is_passing(answer) or self._stopped.wait(_AGAIN_S):
                return answer


def _assignment(cell: Cell) -> Assign:
    return Assign(cell.run_id, cell.epoch, cell.worker_id)
