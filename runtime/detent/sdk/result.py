"""What triggers give back: handles of runs, and results of runs that were waited for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from ..errors import RunFailed
from ..model.task_error import TaskError

__all__ = ["BatchHandle", "BatchResult", "Result", "RunHandle"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class RunHandle:
    """A run that was triggered. `cached`: it was there already, under the idempotency key."""

    id: str
    task: str
    cached: bool = False


@dataclass(frozen=True, slots=True)
class BatchHandle:
    """A batch that was triggered, its runs in the order of the items."""

    id: str
    runs: tuple[RunHandle, ...]


@dataclass(frozen=True, slots=True)
class Result(Generic[R]):
    """How a run ended that was waited for. Look at `ok` before `output`, or use `unwrap`.

    `error` has ``type``, ``message``, ``traceback`` and ``code``; `status` is the final status.
    """

    id: str
    task: str
    ok: bool
    status: str
    output: R | None = None
    error: TaskError | None = None

    def unwrap(self) -> R:
        """The output. Errors: `RunFailed` when the run did not complete."""
        if self.ok:
            return cast("R", self.output)
        cause = f": {self.error.type}: {self.error.message}" if self.error is not None else ""
        raise RunFailed(
            f"run {self.id} of task {self.task!r} ended {self.status}{cause}",
            run_id=self.id,
            status=self.status,
            error=self.error,
        )


@dataclass(frozen=True, slots=True)
class BatchResult(Generic[R]):
    """How the runs of a batch ended, in the order of the items."""

    id: str
    runs: tuple[Result[R], ...]

    def unwrap(self) -> list[R]:
        """The outputs, in order. Errors: `RunFailed` for the first run that did not complete."""
        return [result.unwrap() for result in self.runs]

    def __iter__(self) -> Iterator[Result[R]]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)
