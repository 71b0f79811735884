"""The jobs on PgQueuer; as a module it is a worker process."""

from __future__ import annotations

import asyncio
import json
import os
import time
from datetime import timedelta

import asyncpg
from pgqueuer import AsyncpgDriver, PgQueuer
from pgqueuer.models import Job

BATCH = 64


async def _serve() -> None:
    connection = await asyncpg.connect(os.environ["BENCH_DATABASE_URL"])
    queuer = PgQueuer(AsyncpgDriver(connection))

    @queuer.entrypoint("noop")
    async def noop(job: Job) -> None:
        json.loads(job.payload or b"0")

    @queuer.entrypoint("stamp")
    async def stamp(job: Job) -> None:
        path, began = json.loads(job.payload or b"[]")
        line = f"{time.monotonic_ns() - began}\n"
        with open(path, "a") as file:  # noqa: ASYNC230, PTH123  # one short line
            file.write(line)

    await queuer.run(batch_size=BATCH, dequeue_timeout=timedelta(seconds=30))


if __name__ == "__main__":
    asyncio.run(_serve())
