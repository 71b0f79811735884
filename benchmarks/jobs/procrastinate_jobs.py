"""The jobs on Procrastinate; as a module it is a worker process."""

from __future__ import annotations

import asyncio
import os
import time

from procrastinate import App, PsycopgConnector

app = App(connector=PsycopgConnector(conninfo=os.environ["BENCH_DATABASE_URL"]))

CONCURRENCY = 16


@app.task(name="noop")
async def noop(number: int) -> int:
    return number


@app.task(name="stamp")
async def stamp(path: str, began: int) -> None:
    line = f"{time.monotonic_ns() - began}\n"
    with open(path, "a") as file:  # noqa: ASYNC230, PTH123  # one short line
        file.write(line)


async def _serve() -> None:
    async with app.open_async():
        await app.run_worker_async(concurrency=CONCURRENCY, wait=True, install_signal_handlers=False)


if __name__ == "__main__":
    asyncio.run(_serve())
