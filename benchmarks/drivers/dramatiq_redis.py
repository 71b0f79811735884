"""Dramatiq on Redis with its result backend: as it comes, and with a shorter poll."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from benchmarks.drivers.base import RESULT_TIMEOUT, Driver, Handle, Worker
from benchmarks.servers import RedisServer


class DramatiqDefault(Driver):
    title = "Dramatiq + results, default"
    durable = False
    packages = ("dramatiq", "redis")
    # Without messages the consumer's back-off doubles from 5 ms to worker_timeout (1 s), in about this time.
    settle_seconds = 1.5
    worker_timeout_ms: ClassVar[int | None] = None

    def start(self) -> None:
        self._server = RedisServer(self.folder)
        self._server.start()
        os.environ["BENCH_REDIS_URL"] = self._server.url
        from benchmarks.jobs import dramatiq_jobs

        self._jobs = dramatiq_jobs
        environment = dict(os.environ)
        if self.worker_timeout_ms is not None:
            environment["dramatiq_worker_timeout"] = str(self.worker_timeout_ms)
        arguments = ["-m", "dramatiq", "benchmarks.jobs.dramatiq_jobs", "--processes", "2", "--threads", "8"]
        self._worker = Worker(self.folder, arguments, environment)

    def stop(self) -> None:
        self._worker.stop()
        self._server.stop()

    def settings(self) -> list[str]:
        timeout = f"{self.worker_timeout_ms} ms" if self.worker_timeout_ms else "default (1,000 ms)"
        return [
            "2 worker processes x 8 threads, default prefetch (2 x threads) and default middleware",
            "RedisBackend with Results(store_results=True)",
            f"worker_timeout {timeout}",
            self._server.describe(),
        ]

    def noop(self, number: int) -> Handle:
        return self._jobs.noop.send(number)

    def stamp(self) -> Handle:
        return self._jobs.stamp.send()

    def fan_out(self, children: int) -> Handle:
        return self._jobs.fan_out.send(children)

    def chain(self, length: int) -> Handle:
        return self._jobs.chain.send(length)

    def result(self, handle: Handle) -> Any:
        return handle.get_result(block=True, timeout=int(RESULT_TIMEOUT * 1000))


class DramatiqTuned(DramatiqDefault):
    title = "Dramatiq + results, worker_timeout 10 ms"
    settle_seconds = 0.3
    worker_timeout_ms = 10
