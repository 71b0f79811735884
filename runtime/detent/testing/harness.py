"""The harness: engine, store and a worker in this process, and a clock that jumps from timer to timer."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..connection import using
from ..embedded import EmbeddedTransport
from ..engine import Engine
from ..engine.asking import Asking
from ..engine.operations import Operations
from ..errors import DetentError, RunFailed
from ..model.duration import Duration, parse_duration
from ..model.ids import is_id
from ..model.manifest import Manifest
from ..objects import open_store
from ..sdk.registry import registry
from ..sdk.result import RunHandle
from ..store import open_database
from ..telemetry import TelemetryStore
from ..worker.capture import capture
from ..worker.link import DirectLink
from ..worker.manifest import make_manifest
from ..worker.worker import STOP_GRACE_S, Worker, WorkerOptions
from .clock import VirtualClock, VirtualSleeper
from .empty_database import put_empty_database

if TYPE_CHECKING:
    from ..model.views import LogEntry, RunDetail, TriggeredRun
    from ..sdk.task import Task

__all__ = ["Harness", "harness"]

#: Nothing moves any more when nothing has changed for so many seconds of real time while runs sleep.
_STILL_S = 0.2
#: How long nothing must change until runs that execute are taken for waiting on what nobody here does, in seconds.
_SILENT_S = 3.0


class Harness:
    """What `harness` gives. `engine`, `clock`, `worker`, `operations` and `objects` are the real things."""

    def __init__(
        self,
        tasks: Iterable[Task[Any, Any]] | None,
        options: WorkerOptions,
        *,
        env_limit: int | None = None,
        database_url: str = "",
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="detent-test-"))
        self._changed = threading.Event()
        self.clock = VirtualClock()
        file = None if database_url else put_empty_database(self._folder / "detent.db")
        self.store = open_database(database_url, file, "OFF")
        self.telemetry = TelemetryStore(self._folder / "telemetry.db")
        self.objects = open_store(self._folder / "objects")
        self.engine = Engine(self.store, self.clock, env_limit=env_limit, on_emit=self.telemetry.append)
        self.engine.listeners.append(self._changed.set)
        self.operations = Operations(self.engine, self.telemetry, self.objects)
        self.engine.asking = self._asking = Asking(self.operations)
        self.transport = EmbeddedTransport(self.operations)
        self.sleeper = VirtualSleeper(self.clock, self._changed)
        self._declared = list(tasks) if tasks is not None else _latest(registry.declared)
        self._options = options
        self.workers: list[Worker] = []
        self._capture = capture(echo=True)
        self.worker = self.start_worker()

    def start_worker(self) -> Worker:
        """Start one more worker in this process."""
        manifest, usable = make_manifest(self._declared)
        if manifest.problems:
            raise DetentError("; ".join(problem.message for problem in manifest.problems))
        worker = Worker(
            DirectLink(self.engine),
            usable,
            Manifest(manifest.tasks, manifest.queues),
            self._options,
            put_object=self._put_object,
            get_object=lambda key: self.objects.get(key).decode(),
            clock=self.clock,
            sleeper=self.sleeper,
            leave=lambda _code: None,
        )
        self.workers.append(worker)
        worker.start()
        return worker

    def drain(self, *, advance: bool = True, timeout: float = 30.0) -> None:
        """Run until nothing is left to do.

        Parameters:
          advance: move the clock to the next timer (delay, retry, ttl ...) whenever all else is done; without it,
            runs that are delayed are left. It is not moved for a schedule: `advance` does that.
          timeout: seconds of real time after which a `TimeoutError` tells what has not ended, and why.
        """
        ends = time.monotonic() + timeout
        while True:
            self._changed.clear()
            quiet = self._is_quiet()
            if quiet or self._is_still():
                due = self._next_due()
                if due is None or (not advance and due > self.clock.now()):
                    # Where something executes, only a long silence tells that it waits: the machine may be busy.
                    if quiet or not self._changed.wait(_SILENT_S):
                        return
                    continue
                self._move(due)
                continue
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"after {timeout:g} s these runs had not ended: {self._stuck()}")
            self._changed.wait(min(left, 0.5))

    async def drain_async(self, *, advance: bool = True, timeout: float = 30.0) -> None:  # noqa: ASYNC109  # of `drain`
        """`drain`, for async tests."""
        await asyncio.to_thread(self.drain, advance=advance, timeout=timeout)

    def advance(self, duration: Duration) -> None:
        """Move the clock on by `duration` (seconds or text such as ``"10m"``), with all that falls due on the way:
        timers, and the times of schedules."""
        until = self.clock.now() + parse_duration(duration)
        self.drain(advance=False)
        while (due := self._next_due(slots=True)) is not None and due <= until:
            self._move(due)
            self.drain(advance=False)
        self._move(until)
        self.drain(advance=False)

    def run(self, run: RunHandle | TriggeredRun | str) -> RunDetail:
        """The run as it is now."""
        from ..client import Detent

        self._flush()
        return Detent(self.transport).runs.retrieve(_id(run))

    def logs(self, run: RunHandle | TriggeredRun | str) -> list[LogEntry]:
        """The lines of a run so far."""
        from ..client import Detent

        self._flush()
        runs = Detent(self.transport).runs
        lines: list[LogEntry] = []
        while page := runs.logs(_id(run), after=lines[-1].seq if lines else None):
            lines += page
        return lines

    def output(self, run: RunHandle | TriggeredRun | str) -> Any:
        """Drain, and the output of the run as a JSON value. Errors: `RunFailed` when it did not complete."""
        self.drain()
        ended = self.run(run)
        if ended.status != "COMPLETED":
            raise RunFailed(
                f"run {ended.id} of task {ended.task!r} is {ended.status}: {ended.error}",
                run_id=ended.id,
                status=ended.status,
                error=ended.error,
            )
        return ended.output

    def close(self) -> None:
        """Stop the workers, and drop the store with all that is in it."""
        for worker in self.workers:
            worker.stop()
        self._asking.close()
        self._capture.close()
        self.telemetry.close()
        self.store.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _flush(self) -> None:
        for worker in self.workers:
            worker.flush_notes()
        self.telemetry.flush()

    def _is_quiet(self) -> bool:
        executing = {row["id"] for row in self.store.read("busy_runs")}
        return executing <= self.sleeper.sleeping_runs()

    def _is_still(self) -> bool:
        """Whether runs that sleep hold what the others need, or wait where they cannot park: then only the clock can
        go on."""
        held = bool(self.sleeper.sleeping_runs()) or any(worker.waits_unparked() for worker in self.workers)
        return held and not self._changed.wait(_STILL_S)

    def _next_due(self, *, slots: bool = False) -> int | None:
        # Schedules have no end, so whoever waits for one leaves their `slots` out.
        times = [self.engine.next_due(), self.sleeper.next_due(), self.engine.schedules.next_slot() if slots else None]
        return min((at for at in times if at is not None), default=None)

    def _move(self, moment: int) -> None:
        self.clock.move_to(moment)
        self.engine.sweep()
        self.sleeper.wake_due()

    def _stuck(self) -> str:
        ids = [row["id"] for row in self.store.read("busy_runs")][:5]
        rows = [self.operations.call("runs.retrieve", id=run_id) for run_id in ids]
        return "; ".join(f"{row['id']} of {row['task']!r} is {row['status']} ({row.get('reason')})" for row in rows)

    def _put_object(self, key: str, text: str) -> str:
        self.objects.put(key, text.encode())
        return key


@contextmanager
def harness(
    tasks: Iterable[Task[Any, Any]] | None = None,
    *,
    threads: int = 4,
    async_limit: int = 500,
    env_limit: int | None = None,
    stop_grace: float = STOP_GRACE_S,
    replay: str | None = None,
    database_url: str | None = None,
) -> Iterator[Harness]:
    """An engine with a worker, in this process, for the length of a ``with`` block.

    Inside, everything that triggers or looks at runs goes to it: ``task.trigger``, ``tasks``, ``runs``, `Detent`.

    Parameters:
      tasks: what the worker can run; all that has been declared in this process when None.
      threads, async_limit: plain and async runs at once. env_limit: runs of the whole environment at once.
      stop_grace: seconds of real time after which a run that does not stop is left behind.
      replay: "never" (parked runs go on where they are), "always" (each is replayed from its journal after every
        durable wait) or "random:SEED"; what ``DETENT_REPLAY`` says when None.
      database_url: a PostgreSQL database that is the test's own; what ``DETENT_TEST_DATABASE_URL`` says when None, and
        without it a file that goes with the block.

    Nothing here sleeps: delays, backoffs and ttls pass when `Harness.drain` or `Harness.advance` moves the clock.
    """
    options = WorkerOptions.for_tests(threads=threads, async_limit=async_limit, stop_grace_s=stop_grace, replay=replay)
    if database_url is None:
        database_url = os.environ.get("DETENT_TEST_DATABASE_URL", "")
    made = Harness(tasks, options, env_limit=env_limit, database_url=database_url)
    try:
        with using(made.transport, everywhere=True):
            yield made
    finally:
        made.close()


def _latest(declared: Iterable[Task[Any, Any]]) -> list[Task[Any, Any]]:
    return list({task.id: task for task in declared}.values())


def _id(run: RunHandle | TriggeredRun | str) -> str:
    run_id = run if isinstance(run, str) else run.id
    if not is_id("run", run_id):
        raise DetentError(f"{run_id!r} is not the id of a run")
    return run_id
