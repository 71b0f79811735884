"""The jobs on detent, found by the workers in the session's project."""

from __future__ import annotations

import time

from pydantic import BaseModel

from detent import task


class Stamp(BaseModel):
    path: str
    began: int


@task(id="noop")
async def noop(number: int) -> int:
    return number


@task(id="stamp")
async def stamp(payload: Stamp) -> None:
    line = f"{time.monotonic_ns() - payload.began}\n"
    with open(payload.path, "a") as file:  # noqa: ASYNC230, PTH123  # one short line
        file.write(line)


@task(id="fan_out")
async def fan_out(children: int) -> float:
    began = time.perf_counter()
    results = await noop.batch_trigger_and_wait(list(range(children))).unwrap()
    assert results == list(range(children))
    return time.perf_counter() - began
