"""DBOS on SQLite: workflows started in the caller's own process, and queued ones with a worker process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import sqlalchemy
from dbos import DBOS, DBOSClient

from benchmarks.drivers.base import ROOT, Driver, Handle
from benchmarks.jobs import dbos_jobs


class DbosInProcess(Driver):
    title = "DBOS in process (SQLite)"
    durable = True
    packages = ("dbos", "sqlalchemy")
    pace = 0.15

    @property
    def _url(self) -> str:
        return f"sqlite:///{self.folder / 'dbos.sqlite'}"

    def start(self) -> None:
        dbos_jobs.configure(self._url)
        DBOS.launch()

    def stop(self) -> None:
        DBOS.destroy()

    def settings(self) -> list[str]:
        return ["caller and workflows in one process, threads without a limit (default)", _pragmas(self._url)]

    def noop(self, number: int) -> Handle:
        return DBOS.start_workflow(dbos_jobs.noop, number)

    def stamp(self) -> Handle:
        return DBOS.start_workflow(dbos_jobs.stamp)

    def fan_out(self, children: int) -> Handle:
        return DBOS.start_workflow(dbos_jobs.fan_out, children, False)

    def chain(self, length: int) -> Handle:
        return DBOS.start_workflow(dbos_jobs.chain, length, False)

    def result(self, handle: Handle) -> Any:
        return handle.get_result(polling_interval_sec=dbos_jobs.RESULT_POLL_SECONDS)


class DbosQueue(Driver):
    title = "DBOS queue (SQLite)"
    durable = True
    packages = ("dbos", "sqlalchemy")
    pace = 0.15

    @property
    def _url(self) -> str:
        return f"sqlite:///{self.folder / 'dbos.sqlite'}"

    def start(self) -> None:
        with (self.folder / "worker.log").open("wb") as log:
            self._worker = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.jobs.dbos_jobs", self._url],
                cwd=ROOT,
                env=dict(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._worker.stdout is not None
        if self._worker.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the DBOS worker did not start:\n{(self.folder / 'worker.log').read_text()[-2000:]}")
        self._client = DBOSClient(system_database_url=self._url)

    def stop(self) -> None:
        self._client.destroy()
        self._worker.kill()
        self._worker.wait()

    def settings(self) -> list[str]:
        return [
            "DBOSClient in the caller, 1 worker process (a second one only adds writers to the same file)",
            f"queue polled every {dbos_jobs.QUEUE_POLL_SECONDS * 1000:.0f} ms (default 1,000), "
            f"results every {dbos_jobs.RESULT_POLL_SECONDS * 1000:.0f} ms (default 1,000)",
            _pragmas(self._url),
        ]

    def noop(self, number: int) -> Handle:
        return self._enqueue("noop", number)

    def stamp(self) -> Handle:
        return self._enqueue("stamp")

    def fan_out(self, children: int) -> Handle:
        return self._enqueue("fan_out", children, True)

    def chain(self, length: int) -> Handle:
        return self._enqueue("chain", length, True)

    def result(self, handle: Handle) -> Any:
        return handle.get_result(polling_interval_sec=dbos_jobs.RESULT_POLL_SECONDS)

    def _enqueue(self, name: str, *arguments: Any) -> Handle:
        return self._client.enqueue({"workflow_name": name, "queue_name": dbos_jobs.QUEUE}, *arguments)


def _pragmas(url: str) -> str:
    """What any new connection to the file has, so also DBOS's own, as it sets neither pragma."""
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        level = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    engine.dispose()
    names = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}
    return f"SQLite journal_mode={journal}, synchronous={names.get(level or 0, level)} (as DBOS leaves them)"
