"""The jobs on DBOS. The caller runs them in process; as a module it is the worker process of the queue."""

from __future__ import annotations

import signal
import sys
import time
from typing import Any

from dbos import DBOS, DBOSConfig

QUEUE = "jobs"
QUEUE_POLL_SECONDS = 0.02
RESULT_POLL_SECONDS = 0.01
VERSION = "benchmarks"


def configure(url: str) -> None:
    """Make the process's DBOS instance over the database at ``url``; not launched yet."""
    config: DBOSConfig = {
        "name": "benchmarks",
        "system_database_url": url,
        "application_version": VERSION,
        "log_level": "ERROR",
    }
    DBOS(config=config)


@DBOS.workflow(name="noop")
def noop(number: int) -> int:
    return number


@DBOS.workflow(name="stamp")
def stamp() -> int:
    return time.monotonic_ns()


@DBOS.workflow(name="stamp_file")
def stamp_file(path: str, began: int) -> None:
    line = f"{time.monotonic_ns() - began}\n"
    with open(path, "a") as file:  # noqa: PTH123  # one short line
        file.write(line)


@DBOS.workflow(name="fan_out")
def fan_out(children: int, queued: bool) -> float:
    began = time.perf_counter()
    handles = [_child(number, queued) for number in range(children)]
    results = [handle.get_result(polling_interval_sec=RESULT_POLL_SECONDS) for handle in handles]
    assert len(results) == children
    return time.perf_counter() - began


@DBOS.workflow(name="chain")
def chain(length: int, queued: bool) -> float:
    began = time.perf_counter()
    for number in range(length):
        assert _child(number, queued).get_result(polling_interval_sec=RESULT_POLL_SECONDS) == number
    return time.perf_counter() - began


@DBOS.step()
def plain_step(number: int) -> int:
    return number


@DBOS.step()
async def async_step(number: int) -> int:
    return number


@DBOS.workflow(name="plain_steps")
def plain_steps(count: int) -> float:
    began = time.perf_counter()
    for number in range(count):
        assert plain_step(number) == number
    return time.perf_counter() - began


@DBOS.workflow(name="async_steps")
async def async_steps(count: int) -> float:
    began = time.perf_counter()
    for number in range(count):
        assert await async_step(number) == number
    return time.perf_counter() - began


def _child(number: int, queued: bool) -> Any:
    return DBOS.enqueue_workflow(QUEUE, noop, number) if queued else DBOS.start_workflow(noop, number)


def main() -> None:
    """Serve the queue of the database named by the first argument until told to end; say when ready."""
    configure(sys.argv[1])
    DBOS.listen_queues([QUEUE])
    DBOS.launch()
    DBOS.register_queue(QUEUE, polling_interval_sec=QUEUE_POLL_SECONDS)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    DBOS.destroy()


if __name__ == "__main__":
    main()
