"""Workers of several environments under one engine."""

from __future__ import annotations

from typing import Any

from tests.engine.bench import Bench, Worker, new

from detent.model.ids import new_id
from detent.model.manifest import Manifest, QueueSpec, TaskSpec
from detent.model.protocol import Answer


class WorkerOf(Worker):
    """A worker that serves one environment."""

    def __init__(self, bench: Bench, env: str) -> None:
        self.env = env
        manifest = Manifest([TaskSpec("work", "task/work")], [QueueSpec("task/work", 1)])
        super().__init__(bench, manifest, new_id("worker"))

    def hello(self, **values: Any) -> Answer:
        return super().hello(env=self.env, **values)


def test_runs_of_a_lost_worker_go_on_in_their_own_environment(bench: Bench) -> None:
    # Given workers of two environments, and a run of each
    here, there, second = WorkerOf(bench, "dev"), WorkerOf(bench, "staging"), WorkerOf(bench, "staging")
    run = bench.engine.in_env("staging").trigger([new("work")])[0].id
    assert here.claim() == []
    assert [grant.run_id for grant in there.claim()] == [run]
    second.pushes.clear()
    # When the worker that executes it is lost
    assert bench.engine.lose_worker(there.id, "killed") == 1
    # Then another one of its environment goes on with it, and only such a one
    assert here.claim() == []
    [again] = second.claim()
    assert (again.run_id, again.epoch > 1) == (run, True)


def test_an_environment_has_limits_of_its_own(bench: Bench) -> None:
    # Given a queue that lets one run through, in two environments
    here, there = WorkerOf(bench, "dev"), WorkerOf(bench, "staging")
    first = bench.trigger_all([new("work"), new("work")])
    other = bench.engine.in_env("staging").trigger([new("work")])[0].id
    # Then each has its own slot
    assert [grant.run_id for grant in here.claim(5)] == [first[0].id]
    assert [grant.run_id for grant in there.claim(5)] == [other]
    assert here.claim(5) == there.claim(5) == []
