"""detent with its embedded store: engine and client in the session process, one worker process on its socket."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.drivers.base import RESULT_TIMEOUT, ROOT, Driver, Handle
from detent import Detent
from detent.config import load_config
from detent.connection import using
from detent.dev import LocalService


class DetentNormal(Driver):
    title = "detent, SQLite NORMAL"
    durable = True
    packages = ("detent", "dramatiq", "msgspec", "pydantic")
    sync: ClassVar[str] = "NORMAL"

    def start(self) -> None:
        project = self.folder / "project"
        (project / "tasks").mkdir(parents=True)
        (project / "detent.toml").write_text('project = "bench"\n')
        shutil.copy(ROOT / "benchmarks" / "jobs" / "detent_jobs.py", project / "tasks" / "jobs.py")
        os.environ["DETENT_SQLITE_SYNC"] = self.sync
        self._service = LocalService(load_config(Path(project)))
        self._service.__enter__()
        self._client = Detent(self._service.transport)
        self._using = using(self._service.transport, everywhere=True)
        self._using.__enter__()
        from benchmarks.jobs import detent_jobs

        self._jobs = detent_jobs

    def stop(self) -> None:
        self._using.__exit__(None, None, None)
        self._service.__exit__(None, None, None)

    def settings(self) -> list[str]:
        host = self._service.host
        assert host is not None
        names = ("journal_mode", "page_size", "wal_autocheckpoint")
        pragmas = [f"{name}={host.store.read_sql(f'PRAGMA {name}', {})[0][0]}" for name in names]
        return [
            f"embedded store, synchronous={self.sync}, {', '.join(pragmas)}",
            "1 worker process on the engine protocol (unix socket), async tasks, payload and output schemas, "
            "event history on",
            "in-process client: task.sync.trigger, runs.poll",
        ]

    def noop(self, number: int) -> Handle:
        return self._jobs.noop.sync.trigger(number).id

    def stamp(self) -> Handle:
        return self._jobs.stamp.sync.trigger().id

    def fan_out(self, children: int) -> Handle:
        return self._jobs.fan_out.sync.trigger(children).id

    def chain(self, length: int) -> Handle:
        return self._jobs.chain.sync.trigger(length).id

    def result(self, handle: Handle) -> Any:
        ended = self._client.runs.poll(handle, timeout=RESULT_TIMEOUT)
        if ended.status != "COMPLETED":
            raise RuntimeError(f"run {handle} ended {ended.status}: {ended.error}")
        return ended.output


class DetentFull(DetentNormal):
    title = "detent, SQLite FULL"
    sync = "FULL"
