"""Runs that fail as a test says, and the loop that reads of them."""

from __future__ import annotations

from typing import Any

from tests.engine.bench import Bench, Worker, new

from detent.engine.error_operations import ErrorOperations
from detent.engine.loops import Digest
from detent.engine.scene import error_text
from detent.model.protocol import Finish
from detent.model.task_error import TaskError

__all__ = ["Failing"]


class Failing:
    """A worker of `bench` whose runs fail, the digest of its history, and what can be asked of the errors."""

    def __init__(self, bench: Bench, *tasks: str) -> None:
        self.bench = bench
        self.worker: Worker = bench.worker(*(tasks or ("work",)))
        self.digest = Digest(bench.engine.write, bench.store, bench.clock)
        self.errors = ErrorOperations(bench.engine)

    def fail(self, message: str = "it broke", task: str = "work", status: str = "FAILED", **options: Any) -> str:
        """Trigger a run that fails; its id."""
        run_id = self.bench.trigger(task, **options)
        self.worker.finish(self.worker.take(), status, error=error_text(TaskError("ValueError", message)))
        return run_id

    def fail_many(self, n: int, message: str = "it broke", task: str = "work") -> None:
        """`n` runs that fail, a thousand at once."""
        error = error_text(TaskError("ValueError", message))
        for first in range(0, n, 1000):
            self.bench.trigger_all([new(task) for _ in range(min(1000, n - first))])
        while grants := self.worker.claim(1000):
            self.worker.say(*[Finish(grant.run_id, grant.epoch, "FAILED", error=error) for grant in grants])

    def succeed(self, task: str = "work", **options: Any) -> str:
        """Trigger a run that completes; its id."""
        run_id = self.bench.trigger(task, **options)
        self.worker.finish(self.worker.take())
        return run_id

    def read(self) -> None:
        """Read the history to its end."""
        while self.digest.sweep():
            pass

    def only(self) -> dict[str, Any]:
        """The one group there is."""
        [group] = self.errors.list()["items"]
        found: dict[str, Any] = group
        return found
