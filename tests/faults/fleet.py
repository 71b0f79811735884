"""A project that is served in this process, and worker processes from a fork server that are replaced as they die."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import psycopg
from tests.databases import Database, Reading
from tests.oracle import LimitChange, Report, check_ended

from detent import Detent
from detent.config import load_config
from detent.embedded import EmbeddedTransport
from detent.model.ids import new_id
from detent.server.host import Host
from detent.worker.exit_cause import cause_of
from detent.worker.fork_server import Forked, ForkServer

from .effects import repeated
from .figures import percentile
from .project import wait_for

__all__ = ["HEAD", "Fleet", "Recovery"]

ROOT = Path(__file__).parents[2]

#: How the tasks of a project begin: what they do to the world goes to a log.
HEAD = f"""
from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

sys.path.append({str(ROOT)!r})

from detent import Context, Retry, queue, step, task, wait
from detent import sync
from tests.faults.effects import done

LOG = Path(__file__).parent.parent / "effects.log"


def effect(ctx, name):
    done(LOG, f"{{ctx.run.id}}/{{name}}", ctx.run.id, name)
"""


class Fleet:
    """``with Fleet(tmp_path, tasks, workers=3) as fleet``: the engine here, workers as processes.

    Parameters:
      tasks: the project's code, which stands after `HEAD`.
      workers: how many processes there always are. arguments, env: of each.
      settings: the server's environment. database_url: of a PostgreSQL instead of a file, as this process reads it;
        what `settings` says is how the server reaches it.
    """

    def __init__(
        self,
        folder: Path,
        tasks: str,
        *,
        workers: int = 2,
        arguments: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        database_url: str = "",
    ) -> None:
        self.root = folder / "p"
        (self.root / "tasks").mkdir(parents=True)
        (self.root / "detent.toml").write_text('project = "fleet"\ndirs = ["tasks"]\n')
        (self.root / "tasks" / "work.py").write_text(HEAD + tasks)
        self.database: Database = database_url or self.root / ".detent" / "detent.db"
        self._settings = {"DETENT_SQLITE_SYNC": "NORMAL"}
        if database_url:
            self._settings["DETENT_DATABASE_URL"] = database_url
        self._settings.update(settings or {})
        self._reading: Reading | None = None
        self.log = self.root / "effects.log"
        self._size = workers
        self._arguments = arguments
        self._env = env
        self._slots: dict[int, Forked] = {}
        self._keepers: list[threading.Thread] = []
        self._over = threading.Event()
        self._chance = random.Random(7)
        #: When each killed worker was killed, in milliseconds since 1970.
        self.killed: dict[str, int] = {}
        #: Exit codes of the workers that have ended.
        self.codes: list[int] = []

    def __enter__(self) -> Fleet:
        self._host = Host(load_config(self.root, self._settings), port=0)
        self._host.start()
        self.engine = self._host.engine
        self.client = Detent(EmbeddedTransport(self._host.operations))
        self._forks = ForkServer(self.root, self._host.socket_path, self._arguments)
        for slot in range(self._size):
            self._keepers.append(threading.Thread(target=self._keep, args=(slot,), daemon=True))
            self._keepers[-1].start()
        wait_for("all workers", lambda: len(self.engine.sessions.of_env("dev")) == self._size)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is not None:
            print(self.story())

    def close(self) -> None:
        """End every process of the project, and let it go."""
        if self._over.is_set():
            return
        self._over.set()
        self._forks.close()
        for keeper in self._keepers:
            keeper.join()
        self._host.stop()
        if self._reading is not None:
            self._reading.close()

    # Workers.

    def workers(self) -> list[Forked]:
        return list(self._slots.values())

    def worker(self, worker_id: str) -> Forked | None:
        return next((worker for worker in self.workers() if worker.worker_id == worker_id), None)

    def kill(self, worker: Forked) -> None:
        """SIGKILL, once."""
        if worker.worker_id not in self.killed:
            self.killed[worker.worker_id] = time.time_ns() // 1_000_000
            worker.kill()

    def kill_process(self, worker_id: str, pid: int) -> bool:
        """SIGKILL to a worker or to a process that it has started for one run; False when there is none yet."""
        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(self._forks.pid).children(recursive=True)
            for process in [process for process in family if process.pid == pid]:
                self.killed[worker_id] = time.time_ns() // 1_000_000
                process.kill()
                return True
        return False

    def kill_any(self) -> None:
        """SIGKILL to one at random."""
        self.kill(self._chance.choice(self.workers()))

    def restart_all(self) -> None:
        """SIGTERM to one worker after another, each once the one before has been replaced."""
        for slot, worker in list(self._slots.items()):
            worker.signal(signal.SIGTERM)
            wait_for("its successor", lambda slot=slot, worker=worker: self._is_replaced(slot, worker))

    def _is_replaced(self, slot: int, worker: Forked) -> bool:
        there = self._slots[slot]
        return there is not worker and self.engine.sessions.get(there.worker_id) is not None

    def _keep(self, slot: int) -> None:
        while not self._over.is_set():
            try:
                worker = self._forks.fork(new_id("worker"), env=self._env)
            except OSError:
                return
            self._slots[slot] = worker
            code = worker.wait()
            if self._over.is_set():
                return
            self.codes.append(code)
            self._host.worker_exited(worker.worker_id, cause_of(code), stopped=code == 0)

    def memory(self) -> int:
        """Resident bytes of the largest worker."""
        return max(int(psutil.Process(worker.pid).memory_info().rss) for worker in self.workers())

    # Work.

    def trigger(self, task: str, payloads: list[Any], **options: Any) -> list[str]:
        """A run for each payload, in batches; their ids."""
        ids: list[str] = []
        for begin in range(0, len(payloads), 500):
            items = [{"payload": payload, "options": options} for payload in payloads[begin : begin + 500]]
            ids += [run.id for run in self.client.tasks.batch_trigger(items, task).runs]
        return ids

    def count(self, state: str, task: str | None = None) -> int:
        sql = "SELECT count(*) FROM runs WHERE state = ?" + ("" if task is None else " AND task = ?")
        return int(self.ask(sql, *([state] if task is None else [state, task]))[0][0])

    def ask(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the store, read beside the engine."""
        if self._over.is_set():
            with Reading(self.database) as reading:
                return [tuple(row) for row in reading.ask(sql, *values)]
        if self._reading is None:
            self._reading = Reading(self.database, fresh=True)
        try:
            return [tuple(row) for row in self._reading.ask(sql, *values)]
        except psycopg.OperationalError:
            self._reading.close()
            self._reading = None
            raise

    def await_end(self, total: int, patience_s: float = 60.0) -> None:
        """Until so many runs have ended, and no others are there."""
        sql = "SELECT count(*), count(finished_at) FROM runs"

        def is_over() -> bool:
            time.sleep(0.02)
            return self.ask(sql) == [(total, total)]

        wait_for(f"the end of {total} runs", is_over, patience_s)

    def await_rest(self, patience_s: float = 60.0) -> None:
        """Until all runs that are there have ended."""
        sql = "SELECT count(*) FROM runs WHERE finished_at IS NULL"

        def is_over() -> bool:
            time.sleep(0.02)
            return self.ask(sql) == [(0,)]

        wait_for("the end of all runs", is_over, patience_s)

    # What must hold.

    def judge(self, limits: Sequence[LimitChange] = ()) -> tuple[Report, int]:
        """The common oracle, once all runs have ended; the report, and how many effects came again after a loss.

        Every process of the project is ended for it. `limits`: see `tests.oracle.check`.
        """
        wait_for("nothing is owed", lambda: self.ask("SELECT count(*) FROM duties") == [(0,)])
        self.close()
        report = check_ended(self.database, limits=limits)
        again, wrong = repeated(self.log, self.database)
        assert not wrong, "\n".join(wrong[:20])
        return report, again

    def recovery(self) -> Recovery:
        """How long the runs of killed workers took to be claimed again."""
        losses = self.ask("SELECT run_id, seq, worker_id FROM events WHERE kind = 'lose_lease'")
        took = []
        for run_id, seq, worker_id in losses:
            at = self.ask("SELECT min(at) FROM events WHERE run_id = ? AND seq > ? AND kind = 'claim'", run_id, seq)
            if worker_id in self.killed and at[0][0] is not None:
                took.append(at[0][0] - self.killed[worker_id])
        return Recovery(took)

    def story(self) -> str:
        """The runs that have not ended, for whoever looks into a failure."""
        with suppress(psycopg.OperationalError):
            runs = self.ask(
                "SELECT id, task, state, epoch, attempt, worker_id, sticky_worker, crashes FROM runs "
                "WHERE finished_at IS NULL LIMIT 20"
            )
            workers = self.ask("SELECT id, pid, state FROM workers WHERE state <> 'dead'")
            return "\n".join(map(str, [*runs, *workers]))
        return "no store"


class Recovery:
    """Times from the kill of a worker to the next claim of each run that it executed, in milliseconds."""

    def __init__(self, took: list[int]) -> None:
        self.took = took

    def percentile(self, share: float) -> float:
        return percentile(self.took, share)

    def __str__(self) -> str:
        p50, p99 = self.percentile(0.5), self.percentile(0.99)
        return f"claimed again p50 {p50:.0f} ms, p99 {p99:.0f} ms after the kill"
