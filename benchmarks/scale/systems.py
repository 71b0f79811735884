"""The systems, each in the form in which its documentation says to use it in production."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import psycopg

from benchmarks.drivers.base import ROOT

__all__ = ["SYSTEMS", "System"]

#: How long all that was triggered may take, in seconds.
_PATIENCE_S = 180.0


class System(ABC):
    """One system on servers that are there. ``noop`` may be called from several threads."""

    title: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]
    #: Share of the runs that it is given, so that slow ones do not take the whole time.
    pace: ClassVar[float] = 1.0

    def __init__(self, folder: Path, database: str, redis: str, processes: int) -> None:
        self.folder = folder
        self.database = database
        self.redis = redis
        self.processes = processes
        self._workers: list[subprocess.Popen[bytes]] = []

    @abstractmethod
    def start(self) -> None:
        """Make the tables, start the workers."""

    @abstractmethod
    def noop(self, number: int) -> None:
        """Trigger one; come back when it is durable."""

    def batch(self, numbers: Sequence[int]) -> None:
        """Trigger many by one call, where there is such a call."""
        for number in numbers:
            self.noop(number)

    @abstractmethod
    def stamp(self, path: Path, began: int) -> None:
        """Trigger one that appends the nanoseconds since `began` to the file."""

    @abstractmethod
    def unfinished(self) -> int:
        """How many of those that were triggered are not finished."""

    def fan_out(self, children: int) -> float | None:
        """Seconds that a parent takes for `children` and their results; None where there are none."""
        return None

    def drain(self) -> None:
        """Wait until all are finished."""
        ends = time.monotonic() + _PATIENCE_S
        while left := self.unfinished():
            if time.monotonic() > ends:
                raise RuntimeError(f"{self.title}: {left} are not finished after {_PATIENCE_S:g} s")
            time.sleep(0.02)

    def stop(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()

    def _start_workers(self, arguments: Sequence[str], **environment: str) -> None:
        for number in range(self.processes):
            with (self.folder / f"worker-{number}.log").open("ab") as log:
                worker = subprocess.Popen(
                    [sys.executable, *arguments],
                    cwd=ROOT,
                    env={**os.environ, **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            self._workers.append(worker)

    def _count(self, sql: str) -> int:
        connection = self.__dict__.setdefault("_counting", None)
        if connection is None:
            connection = self._counting = psycopg.connect(self.database, autocommit=True)
        [(count,)] = connection.execute(sql).fetchall()
        return int(count)


class Detent(System):
    title = "detent"
    packages = ("detent", "psycopg")

    def start(self) -> None:
        project = self.folder / "project"
        (project / "tasks").mkdir(parents=True)
        (project / "detent.toml").write_text('project = "bench"\n')
        shutil.copy(ROOT / "benchmarks" / "jobs" / "scale_jobs.py", project / "tasks" / "jobs.py")
        os.environ["DETENT_DATABASE_URL"] = self.database
        os.environ["DETENT_BROKER_URL"] = self.redis
        from detent.config import load_config
        from detent.connection import using
        from detent.dev import LocalService

        self._service = LocalService(load_config(project), processes=self.processes)
        self._service.__enter__()
        self._using = using(self._service.transport, everywhere=True)
        self._using.__enter__()
        from benchmarks.jobs import scale_jobs

        self._jobs = scale_jobs

    def stop(self) -> None:
        self._using.__exit__(None, None, None)
        self._service.__exit__(None, None, None)

    def noop(self, number: int) -> None:
        self._jobs.noop.sync.trigger(number)

    def batch(self, numbers: Sequence[int]) -> None:
        self._jobs.noop.sync.batch_trigger(list(numbers))

    def stamp(self, path: Path, began: int) -> None:
        self._jobs.stamp.sync.trigger({"path": str(path), "began": began})

    def unfinished(self) -> int:
        return self._count("SELECT count(*) FROM detent.runs WHERE state IN ('QUEUED', 'EXECUTING', 'WAITING')")

    def fan_out(self, children: int) -> float | None:
        from detent import Detent as Client

        handle = self._jobs.fan_out.sync.trigger(children)
        ended = Client(self._service.transport).runs.poll(handle.id, timeout=_PATIENCE_S)
        assert ended.status == "COMPLETED", ended.error
        seconds: float = ended.output
        return seconds


class Procrastinate(System):
    title = "Procrastinate"
    packages = ("procrastinate",)
    pace = 0.3

    def start(self) -> None:
        os.environ["BENCH_DATABASE_URL"] = self.database
        from procrastinate import App, SyncPsycopgConnector

        self._app = App(connector=SyncPsycopgConnector(conninfo=self.database, max_size=70))
        self._app.open()
        self._app.schema_manager.apply_schema()
        self._start_workers(["-m", "benchmarks.jobs.procrastinate_jobs"], BENCH_DATABASE_URL=self.database)

    def stop(self) -> None:
        self._app.close()
        super().stop()

    def noop(self, number: int) -> None:
        self._app.configure_task("noop", allow_unknown=True).defer(number=number)

    def batch(self, numbers: Sequence[int]) -> None:
        self._app.configure_task("noop", allow_unknown=True).batch_defer(*({"number": number} for number in numbers))

    def stamp(self, path: Path, began: int) -> None:
        self._app.configure_task("stamp", allow_unknown=True).defer(path=str(path), began=began)

    def unfinished(self) -> int:
        return self._count("SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")


class PgQueuer(System):
    title = "PgQueuer"
    packages = ("pgqueuer", "asyncpg")
    pace = 0.5

    def start(self) -> None:
        import asyncpg
        from pgqueuer import Queries

        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

        async def prepare() -> Any:
            pool = await asyncpg.create_pool(self.database, min_size=1, max_size=64)
            queries = Queries.from_asyncpg_pool(pool)
            await queries.install()
            return queries

        self._queries = self._do(prepare())
        self._start_workers(["-m", "benchmarks.jobs.pgqueuer_jobs"], BENCH_DATABASE_URL=self.database)

    def noop(self, number: int) -> None:
        self._do(self._queries.enqueue("noop", json.dumps(number).encode()))

    def batch(self, numbers: Sequence[int]) -> None:
        n = len(numbers)
        payloads = [json.dumps(number).encode() for number in numbers]
        self._do(self._queries.enqueue(["noop"] * n, payloads, [0] * n))

    def stamp(self, path: Path, began: int) -> None:
        self._do(self._queries.enqueue("stamp", json.dumps([str(path), began]).encode()))

    def unfinished(self) -> int:
        return self._count("SELECT count(*) FROM pgqueuer")

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class Dbos(System):
    title = "DBOS queue"
    packages = ("dbos",)
    pace = 0.2

    def start(self) -> None:
        from dbos import DBOSClient

        from benchmarks.jobs.dbos_jobs import QUEUE

        self._queue = QUEUE
        self._start_workers(["-m", "benchmarks.jobs.dbos_jobs", self.database])
        for worker in range(self.processes):
            self._await_line(self.folder / f"worker-{worker}.log", "ready")
        self._client = DBOSClient(system_database_url=self.database)

    def stop(self) -> None:
        self._client.destroy()
        super().stop()

    def noop(self, number: int) -> None:
        self._client.enqueue({"workflow_name": "noop", "queue_name": self._queue}, number)

    def stamp(self, path: Path, began: int) -> None:
        options: Any = {"workflow_name": "stamp_file", "queue_name": self._queue}
        self._client.enqueue(options, str(path), began)

    def fan_out(self, children: int) -> float | None:
        options: Any = {"workflow_name": "fan_out", "queue_name": self._queue}
        handle: Any = self._client.enqueue(options, children, True)
        seconds: float = handle.get_result(polling_interval_sec=0.02)
        return seconds

    def unfinished(self) -> int:
        return self._count("SELECT count(*) FROM dbos.workflow_status WHERE status IN ('PENDING', 'ENQUEUED')")

    @staticmethod
    def _await_line(log: Path, line: str) -> None:
        ends = time.monotonic() + 60
        while line not in log.read_text():
            if time.monotonic() > ends:
                raise RuntimeError(f"the worker did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)


class Celery(System):
    title = "Celery, Redis results"
    packages = ("celery", "redis")
    pace = 0.4

    def start(self) -> None:
        os.environ["BENCH_REDIS_URL"] = self.redis
        from benchmarks.jobs import celery_jobs

        self._jobs = celery_jobs
        self._open: list[Any] = []
        arguments = ["-m", "celery", "-A", "benchmarks.jobs.celery_jobs", "worker", "--pool", "prefork"]
        arguments += ["--concurrency", str(self.processes), "--without-gossip", "--without-mingle"]
        self.processes = 1
        self._start_workers([*arguments, "--without-heartbeat", "--loglevel", "WARNING"])

    def noop(self, number: int) -> None:
        self._open.append(self._jobs.noop.delay(number))

    def stamp(self, path: Path, began: int) -> None:
        self._open.append(self._jobs.stamp_file.delay(str(path), began))

    def unfinished(self) -> int:
        for handle in self._open:
            handle.get(timeout=_PATIENCE_S)
        self._open.clear()
        return 0


class RawDramatiq(System):
    title = "Dramatiq, no results (the limit)"
    packages = ("dramatiq", "redis")

    def start(self) -> None:
        os.environ["BENCH_REDIS_URL"] = self.redis
        import redis

        from benchmarks.jobs import raw_dramatiq_jobs

        self._jobs = raw_dramatiq_jobs
        self._redis = redis.Redis.from_url(self.redis)
        self._sent = 0
        self._lock = threading.Lock()
        arguments = ["-m", "dramatiq", "benchmarks.jobs.raw_dramatiq_jobs", "--processes", str(self.processes)]
        self.processes = 1
        self._start_workers([*arguments, "--threads", "8"], BENCH_REDIS_URL=self.redis)

    def noop(self, number: int) -> None:
        with self._lock:
            self._sent += 1
        self._jobs.noop.send(number)

    def stamp(self, path: Path, began: int) -> None:
        with self._lock:
            self._sent += 1
        self._jobs.stamp.send(str(path), began)

    def unfinished(self) -> int:
        return self._sent - int(self._redis.get("bench:done") or 0)


SYSTEMS: dict[str, type[System]] = {
    "detent": Detent,
    "pgqueuer": PgQueuer,
    "procrastinate": Procrastinate,
    "dbos": Dbos,
    "celery": Celery,
    "dramatiq": RawDramatiq,
}
