"""The jobs on Dramatiq, broker and results at ``BENCH_REDIS_URL``. Imported by caller and workers."""
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import os
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

WAIT_MS = 120_000
# redis-py gives up on a silent socket after five seconds, which would cut long blocking waits short.
_URL = os.environ["BENCH_REDIS_URL"] + "?socket_timeout=150"

broker = RedisBroker(url=_URL)
broker.add_middleware(Results(backend=RedisBackend(url=_URL), store_results=True))
dramatiq.set_broker(broker)


@dramatiq.actor
def noop(number: int) -> int:
    return number


@dramatiq.actor
def stamp() -> int:
    return time.monotonic_ns()


@dramatiq.actor
def fan_out(children: int) -> float:
    began = time.perf_counter()
    results = list(
        dramatiq.group([noop.message(number) for number in range(children)])
        .run()
        .get_results(block=True, timeout=WAIT_MS)
    )
    assert len(results) == children
    return time.perf_counter() - began


@dramatiq.actor
def chain(length: int) -> float:
    began = time.perf_counter()
    for number in range(length):
        assert noop.send(number).get_result(block=True, timeout=WAIT_MS) == number
    return time.perf_counter() - began
