"""The jobs on Celery, broker and results at ``BENCH_REDIS_URL``. Imported by caller and workers."""
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import os
import time

from celery import Celery, group
from celery.result import allow_join_result

WAIT_SECONDS = 120

app = Celery("benchmarks", broker=os.environ["BENCH_REDIS_URL"], backend=os.environ["BENCH_REDIS_URL"])
app.conf.update(
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    broker_connection_retry_on_startup=True,
)


@app.task
def noop(number: int) -> int:
    return number


@app.task
def stamp() -> int:
    return time.monotonic_ns()


@app.task
def fan_out(children: int) -> float:
    began = time.perf_counter()
    with allow_join_result():
        results = group(noop.s(number) for number in range(children)).apply_async().get(timeout=WAIT_SECONDS)
    assert len(results) == children
    return time.perf_counter() - began


@app.task
def chain(length: int) -> float:
    began = time.perf_counter()
    with allow_join_result():
        for number in range(length):
            assert noop.delay(number).get(timeout=WAIT_SECONDS) == number
    return time.perf_counter() - began


@app.task(name="stamp_file")
def stamp_file(path: str, began: int) -> None:
    line = f"{time.monotonic_ns() - began}\n"
    with open(path, "a") as file:  # noqa: PTH123  # one short line
        file.write(line)
