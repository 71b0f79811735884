"""The engine: the only code that changes a run (DESIGN.md section 3)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from copy import copy
from functools import partial
from itertools import islice
from typing import Any, Protocol, Self, TypeVar

from ..errors import DetentError, StoreError
from ..model.channel import Channel, Tickets
from ..model.protocol import (
    Answer,
    Ask,
    Assign,
    Beat,
    Claim,
    CompleteToken,
    Done,
    DutyDone,
    Emit,
    Failure,
    Finish,
    Gone,
    Handle,
    Hello,
    Leave,
    MakeToken,
    NewRun,
    Park,
    Pause,
    Peek,
    Recall,
    Record,
    Release,
    Request,
    RunResult,
    Trigger,
    Wait,
    Watch,
    Welcome,
)
from ..model.status import FINAL
from ..store import Store, Tx
from . import failpoints
from .batches import begin_batch
from .bell import Bell, bell_of
from .bulk import abort_bulk, begin_bulk
from .callbacks import Callbacks
from .cancel import cancel_run
from .claim import claim_runs
from .clock import Clock, SystemClock
from .duties import end_duty
from .duty_triggers import trigger_from_duty
from .enlist import enlist
from .finish import finish_runs
from .inputs import peek_input
from .isolation import assign
from .joint import JointOperation, Patient
from .journal import recall, record
from .leases import LEASE_MS, beat, hand_back_all, lose_worker, release
from .loops import BulkActions, Deployments, Leases, Leftovers, Loop, OnRemove, Retention, Schedules, Sweeper, Timers
from .neighbours import LOOK_S, Neighbours
from .notebook import write_notes
from .park import park
from .pauses import pause_run
from .payloads import Objects
from .queues import pause_queue
from .replays import fork_run, replay_run, resume_paused
from .scene import Scene
from .sessions import Doorbell, Session, Sessions
from .streams import write_streams
from .tokens import complete_token, make_token
from .trigger import is_plain, make_runs, trigger_from_run
from .waiters import Waiters
from .waitpoints import Created, complete_waitpoint, create_waitpoint
from .waits import leave, wait, watch
from .workforce import Workforce

__all__ = ["Engine"]

T = TypeVar("T")

logger = logging.getLogger("detent.engine")


class Questioned(Protocol):
    """See `engine.asking.Asking`."""

    def ask(self, env: str, request: Ask, on_answer: Callable[[Answer], None]) -> None: ...


class Engine:
    """The state machine over one store. All methods may be called from any thread.

    Parameters:
      store: the truth.
      clock: the time that counts; the store's own, or that of this machine, when None.
      env: the environment that clients reach by this engine, and workers that name none; see `in_env`.
      env_limit: most runs of the environment that execute at once; None for no limit.
      doorbell: carries rings to workers; None to send them on the workers' own connections.
      on_emit: takes what a run wrote (logs, spans) once the epoch has been checked, with its environment and task.
      retention_ms: how long finished runs are kept, in milliseconds; None for ever.
      lease_ms: how long a worker may be silent before its runs go on elsewhere, in milliseconds.
      on_remove: told of the runs that are about to be removed.
      objects: where large values are; what no run holds any more is deleted from it.
      channel: carries news between the engines of one store; None where this is the only one.
      tickets: wakes the workers of other engines that take tickets; None where there is no broker.
      namespace: of the tickets, see `namespace_of`.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock | None = None,
        *,
        env: str = "dev",
        env_limit: int | None = None,
        doorbell: Doorbell | None = None,
        on_emit: Callable[[Emit, str, str], None] | None = None,
        retention_ms: int | None = None,
        on_remove: OnRemove | None = None,
        objects: Objects | None = None,
        lease_ms: int = LEASE_MS,
        channel: Channel | None = None,
        tickets: Tickets | None = None,
        namespace: str = "",
    ) -> None:
        self.store = store
        self.clock: Clock = clock or store.clock or SystemClock()
        self.env = env
        self.env_limit = env_limit
        self.lease_ms = lease_ms
        self.sessions = Sessions(doorbell)
        self.waiters = Waiters()
        #: The addresses that complete tokens.
        self.callbacks = Callbacks(self)
        #: Called after each commit that may have changed a run.
        self.listeners: list[Callable[[], None]] = []
        #: Answers what the code of runs asks; set by whoever has made the operations.
        self.asking: Questioned | None = None
        #: What the workers of other engines can run, where several share the store.
        self._workforce = Workforce(store, self.clock, lease_ms) if store.is_shared else None
        self._on_emit = on_emit
        self._timers = Timers(self.write, store, self.clock)
        self._leases = Leases(self.write, self.clock, self.lose_worker, lease_ms)
        self._sweeper = Sweeper(self.write)
        self._retention = Retention(self.write, store, self.clock, retention_ms, on_remove)
        self._leftovers = Leftovers(self.write, store, self.clock, objects)
        self.schedules = Schedules(self.write, store, self.clock)
        self.namespace = namespace if tickets is not None else ""
        #: The other engines of the store; None where there is no way to tell them anything.
        self.neighbours = None if channel is None else Neighbours(self, channel, tickets)
        self._bulk = BulkActions(self.write, store, self._is_known)
        self._deployments = Deployments(self.write, store, self.clock)
        self._loops: tuple[Loop, ...] = (
            self._timers,
            self.schedules,
            self._leases,
            self._sweeper,
            self._retention,
            self._leftovers,
            self._bulk,
            self._deployments,
        )

    def in_env(self, env: str) -> Self:
        """The same engine for the clients of another environment: what they trigger and see is of that one alone."""
        if env == self.env:
            return self
        other = copy(self)
        other.env = env
        return other

    # Loops.

    @property
    def loops(self) -> tuple[Loop, ...]:
        """What runs beside the requests of clients and workers."""
        return self._loops

    def start(self) -> None:
        """Start the loops: timers, schedules, leases, left-over rows, retention."""
        for loop in self._loops:
            loop.start()

    def stop(self) -> None:
        """Stop the loops. The store stays open."""
        for loop in self._loops:
            loop.stop()

    def sweep(self) -> int | None:
        """Do all that is due now; when the next timer is due (milliseconds since 1970), or None."""
        self.schedules.sweep()
        return self._timers.sweep()

    def next_due(self) -> int | None:
        """When the next timer is due (milliseconds since 1970), or None."""
        return self._timers.next_due()

    def check_leases(self) -> list[str]:
        """Give up the workers whose lease has passed, and say which; to be called every few seconds.

        Nobody is judged before this has been called, without a long gap, for one full lease.
        """
        return self._leases.check()

    def tidy(self) -> None:
        """Remove rows that nobody will ask for again; to be called every minute."""
        self._sweeper.sweep()

    def remove_old_runs(self) -> int:
        """Remove one batch of the finished runs that have been kept long enough; how many."""
        return self._retention.sweep()

    def delete_removed_objects(self) -> int:
        """Delete one batch of the objects of runs that were removed; how many were looked at."""
        return self._leftovers.sweep()

    def search_lost_objects(self) -> int:
        """Delete objects of what has ended that nothing names; how many."""
        return self._leftovers.search()

    # What clients ask.

    def trigger(self, runs: Sequence[NewRun], *, batch_id: str | None = None) -> list[Handle]:
        """Make runs, all or none. Durable when it returns.

        Errors: `TaskNotFound`, `InvalidOptions`, `StoreError`.
        """

        if batch_id is None and all(is_plain(run) for run in runs):
            return self._write(JointOperation(f"trigger {self.env}", self._scene, runs, self._make_all))

        def operation(scene: Scene) -> list[Handle]:
            handles = make_runs(scene, runs, self.knows)
            if batch_id is not None:
                begin_batch(scene, batch_id, handles)
            return handles

        return self.write(operation)

    def _make_all(self, scene: Scene, asked: Sequence[Sequence[NewRun]]) -> list[list[Handle]]:
        handles = iter(make_runs(scene, [run for runs in asked for run in runs], self.knows))
        return [list(islice(handles, len(runs))) for runs in asked]

    def cancel(self, run_id: str, reason: str = "") -> str:
        """Cancel a run and its descendants; the state it is in now. Errors: `NotFound`, `Conflict`."""
        return self.write(lambda scene: cancel_run(scene, run_id, reason))

    def replay(self, run_id: str, changes: NewRun, given: Collection[str] = ()) -> Handle:
        """Run a run again, see `replay_run`. Errors: `NotFound`, and those of `trigger`."""
        return self.write(lambda scene: replay_run(scene, run_id, changes, given, self.knows))

    def fork(self, run_id: str, at: str | None = None, *, new_id: str) -> Handle:
        """Run a run again from a journal entry on, see `fork_run`. Errors: `NotFound`, and those of `trigger`."""
        return self.write(lambda scene: fork_run(scene, run_id, new_id, at, self.knows))

    def begin_bulk(self, values: dict[str, Any]) -> Any:
        """Begin a bulk action; its row. Its loop is woken."""
        return self.write(lambda scene: begin_bulk(scene, values, partial(self._wake, self._bulk)))

    def abort_bulk(self, action_id: str) -> Any:
        """Handle no more runs of a bulk action; its row. Errors: `NotFound`, `Conflict`."""
        return self.write(lambda scene: abort_bulk(scene, action_id))

    def work_on_bulk(self) -> bool:
        """Do one batch of a bulk action; whether there was one."""
        return self._bulk.sweep()

    def deployments_changed(self) -> None:
        """A deployment has begun, or another version is current: their loop is woken, and that of schedules."""
        self._wake(self._deployments)
        self._wake(self.schedules)

    def look_after_deployments(self) -> int:
        """Time out deployments that nobody speaks of; how many are under way."""
        return self._deployments.sweep()

    def resume(self, run_id: str) -> None:
        """Let a paused run go on. Errors: `NotFound`, `Conflict`."""
        self.write(lambda scene: resume_paused(scene, run_id))

    def result(self, run_id: str) -> RunResult | None:
        """How the run stands: its `status` may not be final yet. None when there is no such run."""
        rows = self.store.read("find_run", id=run_id)
        if not rows:
            return None
        row = rows[0]
        return RunResult(row["id"], row["task"], row["state"], row["output"], row["output_ref"], row["error"])

    def wait(self, run_id: str, timeout_s: float) -> None:
        """Come back when the run has ended, or is not there, or `timeout_s` seconds have passed."""
        ends = time.monotonic() + timeout_s
        while True:
            with self.waiters.waiting_for(run_id) as ended:
                rows = self.store.read("state_of_run", id=run_id)
                left = ends - time.monotonic()
                if not rows or rows[0]["state"] in FINAL or left <= 0:
                    return
                # What another engine tells may be lost.
                if ended.wait(left if self.neighbours is None else min(left, LOOK_S)) and self.neighbours is None:
                    return

    def knows(self, task: str) -> bool | None:
        """Whether a connected worker runs `task`; None while none is connected."""
        return self._is_known(self.env, task)

    def _is_known(self, env: str, task: str) -> bool | None:
        here = self.sessions.knows(env, task)
        if here or self._workforce is None:
            return here
        anywhere = self._workforce.knows(env, task)
        return here if anywhere is None else anywhere

    def create_waitpoint(self, **values: Any) -> Created:
        """Make a waitpoint, or find it; see `waitpoints.create_waitpoint`."""
        return self.write(lambda scene: create_waitpoint(scene, **values))

    def complete_waitpoint(
        self, id: str, output_text: str | None, output_ref: str | None = None, by: str | None = None
    ) -> Any:
        """Complete a token; its row. Errors: `NotFound`, `Conflict`."""
        return self.write(lambda scene: complete_waitpoint(scene, id, output_text, output_ref, by))

    # What workers say.

    def connect(self, hello: Hello, send: Callable[[Any], None]) -> tuple[Session, Answer]:
        """A worker says hello on a connection that takes pushes by `send`."""
        parent = None if hello.parent is None else self.sessions.get(hello.parent)
        session = Session(hello.env or (self.env if parent is None else parent.env), hello, send)
        there = self.in_env(session.env)
        answer = there.write(lambda scene: self._enlist(scene, session, hello), verb="hello")
        if not isinstance(answer, Failure):
            self.sessions.add(session)
            # Its manifest may have declared some.
            self._wake(self.schedules)
            if self.neighbours is not None:
                self.neighbours.crews_changed()
            if isinstance(answer, Welcome):
                answer.namespace = self.namespace
                answer.shared = self.neighbours is not None
        return session, answer

    def disconnect(self, session: Session) -> None:
        """The connection of a worker has closed. Its runs are kept until it is known to be dead."""
        self.sessions.remove(session)
        self._ring_without(session.env)

    def lose_worker(self, worker_id: str, cause: str, code: str = "crashed", *, stopped: bool = False) -> int:
        """A worker process is dead; how many runs were lost with it.

        `stopped`: it ended because it was asked to; its runs are handed back, and nothing counts against them.
        """

        def lose(scene: Scene) -> int:
            if stopped:
                hand_back_all(scene, worker_id)
            return lose_worker(scene, worker_id, cause, code)

        held = self.write(lose, verb="gone")
        session = self.sessions.drop(worker_id)
        self._ring_without(self.env if session is None else session.env)
        return held

    def set_timers(self, at: int) -> None:
        """A timer is due at `at`, in milliseconds since 1970."""
        self._timers.set_to(at)

    def _ring_without(self, env: str) -> None:
        """A worker of `env` has gone, and may have been rung for runs that it did not claim."""
        self.sessions.wake(env, {}, anyone=True)
        if self.neighbours is not None:
            self.neighbours.anyone(env)
            self.neighbours.crews_changed()

    def _wake(self, loop: Loop) -> None:
        loop.wake()
        if self.neighbours is not None:
            self.neighbours.loop(loop.name)
            self.neighbours.changed()

    def pause_queue(self, name: str, paused: bool = True) -> None:
        """Start no more runs of a queue, or start them again. What executes goes on."""
        self.write(lambda scene: pause_queue(scene, name, paused))

    def handle(self, session: Session, requests: Sequence[Request]) -> list[Answer]:
        """Answer a frame of a worker: its requests share one transaction, in order.

        Errors: `StoreError` where the answer of a commit was lost meanwhile, so that the worker may have been granted
        what it does not know of. It has to say hello again with what it holds, and then asks again.
        """
        there = self.in_env(session.env)
        doubts = self.store.doubts
        operations = [there._operation_of(session, request) for request in requests]
        if failpoints.armed is None:
            outcomes = self.store.write_all(operations)
        else:
            outcomes = failpoints.armed.write_all(self.store, operations, requests)
        if self.store.doubts != doubts:
            raise StoreError("the answer of a commit was lost, and with it what was granted; say hello again")
        answers: list[Answer] = []
        for request, outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome, DetentError):
                answers.append(Failure(outcome.code, outcome.message))
            elif isinstance(outcome, BaseException):
                logger.error("the engine failed at %s", type(request).__name__, exc_info=outcome)
                answers.append(Failure("engine_error", f"the engine failed: {type(outcome).__name__}: {outcome}"))
            else:
                answers.append(outcome)
        return answers

    def ask(self, session: Session, request: Ask, on_answer: Callable[[Answer], None]) -> None:
        """Answer what the code of a run asks of the operations, on another thread."""
        if self.asking is None:
            on_answer(Failure("engine_error", "this engine answers no questions of runs"))
        else:
            self.asking.ask(session.env, request, on_answer)

    def _operation_of(self, session: Session, request: Request) -> Callable[[Tx], Answer]:
        if isinstance(request, Finish):
            return JointOperation(f"finish {self.env}", self._scene, (session.worker_id, request), finish_runs)
        operation = self._operation(self._verb(session, request))
        if isinstance(request, Claim):
            # The sooner runs end, the more room there is.
            return Patient(operation)
        return operation

    def _verb(self, session: Session, request: Request) -> Callable[[Scene], Answer]:
        worker_id = session.worker_id
        match request:
            case Claim():
                return lambda scene: claim_runs(scene, session, request, self.env_limit)
            case Finish():
                return lambda scene: finish_runs(scene, [(worker_id, request)])[0]
            case Trigger():
                return lambda scene: self._trigger_inside(scene, worker_id, request)
            case DutyDone():
                return lambda scene: end_duty(scene, worker_id, request)
            case Record():
                return lambda scene: record(scene, worker_id, request)
            case Wait():
                return lambda scene: wait(scene, worker_id, request)
            case Park():
                return lambda scene: park(scene, worker_id, request)
            case Recall():
                return lambda scene: recall(scene, worker_id, request)
            case MakeToken():
                return lambda scene: make_token(scene, request, self.callbacks)
            case CompleteToken():
                return lambda scene: complete_token(scene, request)
            case Pause():
                return lambda scene: pause_run(scene, worker_id, request)
            case Peek():
                return lambda scene: peek_input(scene, worker_id, request)
            case Leave():
                return lambda scene: leave(scene, worker_id, request)
            case Watch():
                return lambda scene: watch(scene, worker_id, request)
            case Emit():
                return lambda scene: self._emit(scene, worker_id, request)
            case Beat():
                return lambda scene: beat(scene, worker_id, request)
            case Release():
                session.draining = session.draining or request.draining
                return lambda scene: release(scene, worker_id, request)
            case Assign():
                self.sessions.adopt(request.to_worker, worker_id)
                return lambda scene: assign(scene, worker_id, request)
            case Gone():
                return lambda scene: self._cell_gone(scene, worker_id, request)
            case Hello():
                return lambda scene: self._enlist(scene, session, request)

    def _trigger_inside(self, scene: Scene, worker_id: str, request: Trigger) -> Answer:
        answer = trigger_from_run(scene, worker_id, request, self.knows)
        if isinstance(answer, Failure) and answer.code == "lease_lost":
            return trigger_from_duty(scene, worker_id, request, self.knows) or answer
        return answer

    def _enlist(self, scene: Scene, session: Session, hello: Hello) -> Answer:
        elsewhere = self.sessions.tasks_besides(session)
        if self.store.is_shared:
            rows = scene.tx.all("tasks_elsewhere", env=scene.env, worker=session.worker_id)
            elsewhere |= {row["task"] for row in rows}
        return enlist(scene, hello, elsewhere, lease_ms=self.lease_ms)

    def _cell_gone(self, scene: Scene, worker_id: str, request: Gone) -> Answer:
        if request.worker_id == worker_id:
            return Failure("invalid_options", "a worker cannot tell of its own end")
        cell = scene.tx.one("find_worker", id=request.worker_id)
        if cell is not None and cell["parent"] != worker_id:
            return Failure("not_found", f"worker {request.worker_id} is no cell of this worker")
        if request.stopped:
            hand_back_all(scene, request.worker_id)
        lose_worker(scene, request.worker_id, request.cause, parent=worker_id, verdict=request.verdict)
        scene.tx.after_commit(partial(self._drop, request.worker_id))
        return Done()

    def _drop(self, worker_id: str) -> None:
        self.sessions.drop(worker_id)

    def _emit(self, scene: Scene, worker_id: str, request: Emit) -> Answer:
        values = {"id": request.run_id, "epoch": request.epoch, "worker": worker_id}
        executing = scene.tx.one("fence", **values)
        fenced = executing or scene.tx.one("fence_duty", **values)
        if fenced is None:
            return Failure("lease_lost", f"run {request.run_id} is no longer this worker's")
        if request.started_at is not None:
            scene.tx.run(
                "mark_started",
                id=request.run_id,
                epoch=request.epoch,
                worker=worker_id,
                at=request.started_at,
            )
            scene.tx.run("put_run_note", run_id=request.run_id, env=scene.env)
        refused = None
        if request.metadata or request.tags:
            refused = write_notes(scene, request.run_id, request.metadata, request.tags)
        if request.streams and executing is not None:
            full = write_streams(scene, executing, request.writer, request.streams)
            refused = "; ".join(full if refused is None else [refused, *full]) or None
        if self._on_emit is not None and (request.logs or request.spans or request.dropped):
            on_emit, env, task = self._on_emit, scene.env, fenced["task"]
            scene.tx.after_commit(lambda: on_emit(request, env, task))
        return Done() if refused is None else Failure("limit_exceeded", refused)

    # One operation.

    def write(self, act: Callable[[Scene], T], *, yields: bool = False, verb: str | None = None) -> T:
        """Run `act` in a transaction of the store; its result after the commit.

        `yields`: see `Store.write`. `verb`: for its fail points, where it is no operation of a client.
        """
        return self._write(self._operation(act), yields=yields, verb=verb)

    def _write(self, operation: Callable[[Tx], T], *, yields: bool = False, verb: str | None = None) -> T:
        if failpoints.armed is None:
            return self.store.write(operation, yields=yields)
        return failpoints.armed.write(self.store, operation, yields=yields, verb=verb)

    def _operation(self, act: Callable[[Scene], T]) -> Callable[[Tx], T]:
        return lambda tx: act(self._scene(tx))

    def _scene(self, tx: Tx) -> Scene:
        return Scene(tx, self.clock.now(), self.env, bell_of(tx, self._make_bell))

    def _make_bell(self) -> Bell:
        return Bell(
            self.sessions,
            self._timers.set_to,
            self.env_limit is not None,
            self.listeners,
            self.waiters,
            neighbours=self.neighbours,
        )
