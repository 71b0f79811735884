"""Programs that the simulated workers execute: what a task is made of, drawn from a seed.

A program is a list of operations. What it does depends on nothing but its journal, so that every execution of a run
goes the same way. A task calls only tasks with a higher number, so that every family of runs ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from detent.model.manifest import Manifest, QueueSpec, TaskSpec

__all__ = ["Fail", "Fork", "Gather", "Op", "Program", "Sleep", "Step", "Token", "Trigger", "draw_tasks", "manifest"]


@dataclass(frozen=True)
class Step:
    """A call with an effect outside."""


@dataclass(frozen=True)
class Trigger:
    """Runs of these tasks; `wait`: for their results."""

    tasks: tuple[str, ...]
    wait: bool


@dataclass(frozen=True)
class Sleep:
    """A durable wait of so many milliseconds."""

    ms: int


@dataclass(frozen=True)
class Token:
    """A token is made and waited for. `timeout_ms`: of the token; `wait_ms`: of the wait; `impatient`: the run may
    give the wait up from inside."""

    timeout_ms: int | None
    wait_ms: int | None
    impatient: bool


@dataclass(frozen=True)
class Fail:
    """Raises in attempts up to this one."""

    until_attempt: int


@dataclass(frozen=True)
class Fork:
    """One way or the other, by what was told last."""

    even: tuple[Op, ...]
    odd: tuple[Op, ...]


@dataclass(frozen=True)
class Gather:
    """Branches at the same time."""

    branches: tuple[tuple[Op, ...], ...]


Op = Step | Trigger | Sleep | Token | Fail | Fork | Gather
Program = tuple[Op, ...]


def draw_tasks(chance: Random, n: int = 6) -> dict[str, Program]:
    """`n` tasks by name; the last ones call nobody."""
    names = [f"t{place}" for place in range(n)]
    return {name: _sequence(chance, names[place + 1 :], 2) for place, name in enumerate(names)}


def manifest(tasks: dict[str, Program]) -> Manifest:
    """The tasks as a worker says that it runs them: on queues with limits, with hooks and without."""
    specs = [
        TaskSpec(name, ("narrow", "keyed", f"task/{name}")[place % 3], hooks=["on_cancel", "on_failure"][: place % 3])
        for place, name in enumerate(tasks)
    ]
    return Manifest(specs, [QueueSpec("narrow", 2), QueueSpec("keyed", 3, 1)])


def _sequence(chance: Random, callees: list[str], depth: int) -> Program:
    return tuple(_op(chance, callees, depth) for _ in range(chance.randint(1, 4)))


def _op(chance: Random, callees: list[str], depth: int) -> Op:
    kind = chance.choices(
        ["step", "trigger", "sleep", "token", "fail", "fork", "gather"],
        [30, 25 if callees else 0, 12, 14, 5, 6 if depth else 0, 10 if depth else 0],
    )[0]
    match kind:
        case "trigger":
            return Trigger(tuple(chance.choices(callees, k=chance.choice([1, 1, 2]))), chance.random() < 0.8)
        case "sleep":
            return Sleep(chance.choice([0, 400, 6_000, 70_000]))
        case "token":
            return Token(chance.choice([None, None, 9_000]), chance.choice([None, 4_000]), chance.random() < 0.4)
        case "fail":
            return Fail(chance.choice([1, 1, 2, 9]))
        case "fork":
            return Fork(_sequence(chance, callees, depth - 1), _sequence(chance, callees, depth - 1))
        case "gather":
            return Gather(tuple(_sequence(chance, callees, depth - 1) for _ in range(chance.choice([2, 2, 3]))))
        case _:
            return Step()
