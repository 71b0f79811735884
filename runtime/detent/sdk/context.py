"""What a run can know about itself: the `Context` that a task takes as its second parameter."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["AttemptInfo", "BatchInfo", "Context", "QueueInfo", "RunInfo", "TaskInfo", "WaitInfo"]


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The run. Times are aware datetimes in UTC; durations are seconds."""

    id: str
    created_at: datetime
    started_at: datetime
    tags: tuple[str, ...] = ()
    priority: float = 0
    concurrency_key: str | None = None
    idempotency_key: str | None = None
    max_attempts: int = 3
    max_duration: float | None = None
    parent_id: str | None = None
    root_id: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptInfo:
    """The attempt: its number, from 1, and when it started. `crashes`: workers lost so far without progress."""

    number: int
    started_at: datetime
    crashes: int = 0


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """The task: its id, and the file that declares it."""

    id: str
    file: str


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """The queue that the run is on."""

    name: str


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """The batch that the run belongs to."""

    id: str


@dataclass(frozen=True, slots=True)
class Context:
    """Facts about a run, for ``async def my_task(payload, ctx: Context)``."""

    run: RunInfo
    attempt: AttemptInfo
    task: TaskInfo
    queue: QueueInfo
    environment: str
    batch: BatchInfo | None = field(default=None)


@dataclass(frozen=True, slots=True)
class WaitInfo:
    """What a run waits for, as the hooks ``on_wait`` and ``on_resume`` see it.

    `kind`: ``children``, ``time`` or ``token``. `key`: of the wait in the journal of the run. `target`: the tasks of
    the children, separated by commas; the moment as ISO-8601 text; or the id of the token.
    """

    kind: str
    key: str
    target: str
