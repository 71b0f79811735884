"""A project that ``detent dev`` serves: the server in one process, its workers in others, the caller in ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from benchmarks.drivers.base import RESULT_TIMEOUT, ROOT
from detent import Detent
from detent.client.http import HttpTransport
from detent.connection import using
from detent.embedded import running_server

_START_S = 30.0
_BATCH = 1_000


class Project:
    """``with Project(folder) as project: project.run(job, 1)``. The caller speaks to it by HTTP.

    Parameters:
      folder: an empty one.
      workers: how many worker processes.
      arguments: of ``detent dev``. `environment`: what its processes get besides.
    """

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 1,
        arguments: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self._root = folder / "project"
        self._workers = workers
        self._arguments = arguments
        self._environment = environment or {}

    def __enter__(self) -> Self:
        (self._root / "tasks").mkdir(parents=True)
        (self._root / "detent.toml").write_text('project = "bench"\n')
        shutil.copy(ROOT / "benchmarks" / "jobs" / "durable_jobs.py", self._root / "tasks" / "jobs.py")
        words = ["dev", "--port", "0", "--no-reload", "--json", "--workers", str(self._workers), *self._arguments]
        with (self._root / "dev.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "detent_cli", *words],
                cwd=self._root,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        state = self._root / ".detent"
        self.until(lambda: running_server(state) is not None, _START_S)
        server = running_server(state)
        assert server is not None
        self._transport = HttpTransport(server.url, server.key)
        self.client = Detent(self._transport)
        self._using = using(self._transport, everywhere=True)
        self._using.__enter__()
        self.until(lambda: self.client.health().workers == self._workers, _START_S)
        from benchmarks.jobs import durable_jobs

        self.jobs = durable_jobs
        self.run(durable_jobs.noop, 0)
        self.run(durable_jobs.plain_stamp)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._using.__exit__(None, None, None)
        self._transport.close()
        for child in self.process_tree():
            child.kill()
        self.process.wait()

    def run(self, job: Any, *payload: Any) -> Any:
        """Run a job to its end; what it returned."""
        return self.result(job.sync.trigger(*payload).id)

    def result(self, run_id: str) -> Any:
        """What a run returned, once it has ended."""
        ended = self.client.runs.poll(run_id, timeout=RESULT_TIMEOUT)
        if ended.status != "COMPLETED":
            raise RuntimeError(f"run {run_id} ended {ended.status}: {ended.error}")
        return ended.output

    def trigger_many(self, job: Any, payloads: Sequence[Any], **options: Any) -> None:
        """Trigger a job once for each payload, in batches."""
        for first in range(0, len(payloads), _BATCH):
            job.sync.batch_trigger(payloads[first : first + _BATCH], **options)

    def states(self) -> dict[str, int]:
        """How many runs that have not ended are in which state."""
        return dict(self.client.health().runs)

    def until(self, done: Callable[[], bool], seconds: float) -> None:
        """Come back when `done`; raises after so many seconds."""
        ends = time.monotonic() + seconds
        while not done():
            if self.process.poll() is not None or time.monotonic() > ends:
                log = (self._root / "dev.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"`detent dev` did not come that far within {seconds:g} s; its log ends:\n{log}")
            time.sleep(0.02)

    def process_tree(self) -> list[psutil.Process]:
        """The server and all that it started."""
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]

    def workers(self) -> list[psutil.Process]:
        """The worker processes."""
        return [one for one in self.process_tree()[1:] if "detent.worker" in one.cmdline()]
