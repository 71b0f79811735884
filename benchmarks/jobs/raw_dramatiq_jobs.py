"""The jobs on Dramatiq as it comes, without results: what a run costs that nobody can ask about afterwards."""

from __future__ import annotations

import os
import time

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=os.environ["BENCH_REDIS_URL"]))
counter = redis.Redis.from_url(os.environ["BENCH_REDIS_URL"])


@dramatiq.actor(queue_name="bench")
def noop(number: int) -> None:
    counter.incr("bench:done")


@dramatiq.actor(queue_name="bench")
def stamp(path: str, began: int) -> None:
    line = f"{time.monotonic_ns() - began}\n"
    with open(path, "a") as file:  # noqa: PTH123  # one short line
        file.write(line)
    counter.incr("bench:done")
