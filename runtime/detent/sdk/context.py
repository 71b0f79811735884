"""What a run can know about itself: the `Context` that a task takes as its second parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import random
from typing import Any
from uuid import UUID, uuid4

from .current import current_run, step_info

__all__ = ["AttemptInfo", "BatchInfo", "Context", "MachineInfo", "QueueInfo", "RunInfo", "TaskInfo", "WaitInfo"]


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The run. Times are aware datetimes in UTC; durations are seconds. `replay_of` is the run that this one runs
    again, by a replay or a fork."""

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
    replay_of: str | None = None

    @property
    def is_replay(self) -> bool:
        """Whether this run was made by a replay or a fork of another one."""
        return self.replay_of is not None


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
class MachineInfo:
    """The machine that was asked for: its name, CPUs and memory in GB; without the two for a label. Only isolated
    runs are held to it."""

    name: str
    cpu: float | None = None
    memory: float | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """Facts about a run, for ``async def my_task(payload, ctx: Context)``; and time and chance that stay the same
    when the run is executed again after a crash."""

    run: RunInfo
    attempt: AttemptInfo
    task: TaskInfo
    queue: QueueInfo
    environment: str
    batch: BatchInfo | None = field(default=None)
    machine: MachineInfo | None = field(default=None)

    def now(self) -> datetime:
        """The time, in UTC, as it was when the run came here first: it is in the journal of the run. It goes by the
        same clock as waits: in tests by the virtual one."""
        return datetime.fromisoformat(str(self._value("now", _now)))

    def uuid(self) -> UUID:
        """A random UUID (version 4), the same when the run is executed again."""
        return UUID(str(self._value("uuid", lambda: str(uuid4()))))

    def random(self) -> float:
        """A random number from 0 up to 1, the same when the run is executed again."""
        return float(self._value("random", random))

    @property
    def idempotency_key(self) -> str:
        """Inside a step: its key for outside services, see `step.idempotency_key`. Errors: `NotInRun`."""
        return step_info("ctx.idempotency_key").idempotency_key

    def _value(self, name: str, make: Callable[[], Any]) -> Any:
        run = current_run.get()
        # A function that is called by itself, in a test say, has no journal.
        return make() if run is None else run.value(name, make)


def _now() -> str:
    run = current_run.get()
    moment = datetime.now(UTC) if run is None else datetime.fromtimestamp(run.now_ms() / 1000, UTC)
    return moment.isoformat()


@dataclass(frozen=True, slots=True)
class WaitInfo:
    """What a run waits for, as the hooks ``on_wait`` and ``on_resume`` see it.

    `kind`: ``children``, ``time`` or ``token``. `key`: of the wait in the journal of the run. `target`: the tasks of
    the children, separated by commas; the id of the token; empty for a time.
    """

    kind: str
    key: str
    target: str
