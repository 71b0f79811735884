"""Celery with its prefork pool, Redis as broker and as result backend."""

from __future__ import annotations

import os
from typing import Any

from benchmarks.drivers.base import RESULT_TIMEOUT, Driver, Handle, Worker
from benchmarks.servers import RedisServer


class CeleryRedis(Driver):
    title = "Celery prefork, Redis results"
    durable = False
    packages = ("celery", "kombu", "redis")
    pace = 0.4

    def start(self) -> None:
        self._server = RedisServer(self.folder)
        self._server.start()
        os.environ["BENCH_REDIS_URL"] = self._server.url
        from benchmarks.jobs import celery_jobs

        self._jobs = celery_jobs
        arguments = ["-m", "celery", "-A", "benchmarks.jobs.celery_jobs", "worker", "--pool", "prefork"]
        arguments += ["--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        self._worker = Worker(self.folder, [*arguments, "--loglevel", "WARNING"], dict(os.environ))

    def stop(self) -> None:
        self._worker.stop()
        self._server.stop()

    def settings(self) -> list[str]:
        return [
            "1 consumer + 2 prefork processes, JSON, early acknowledgement (default)",
            "worker_prefetch_multiplier 4 (default)",
            "without gossip, mingle, heartbeat and task events",
            self._server.describe(),
        ]

    def noop(self, number: int) -> Handle:
        return self._jobs.noop.delay(number)

    def stamp(self) -> Handle:
        return self._jobs.stamp.delay()

    def fan_out(self, children: int) -> Handle:
        return self._jobs.fan_out.delay(children)

    def chain(self, length: int) -> Handle:
        return self._jobs.chain.delay(length)

    def result(self, handle: Handle) -> Any:
        return handle.get(timeout=RESULT_TIMEOUT)
