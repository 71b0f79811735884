"""The `Context` of a run, made of its grant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..model.machine import MACHINES
from ..model.protocol import Grant
from ..sdk.context import AttemptInfo, BatchInfo, Context, MachineInfo, QueueInfo, RunInfo, TaskInfo

if TYPE_CHECKING:
    from ..sdk.task import Task
    from .worker import Worker

__all__ = ["run_context"]


def run_context(worker: Worker, task: Task[Any, Any], grant: Grant, started_at: int) -> Context:
    """What a task is told about its run, whose attempt starts at `started_at`, in milliseconds."""
    max_duration_ms = worker.max_duration_of(task, grant)
    return Context(
        run=RunInfo(
            id=grant.run_id,
            created_at=_moment(grant.created_at),
            started_at=_moment(grant.first_started_at or started_at),
            tags=grant.tags,
            priority=grant.priority,
            concurrency_key=grant.concurrency_key or None,
            idempotency_key=grant.idempotency_key,
            max_attempts=grant.max_attempts or worker.retry_of(task).max_attempts,
            max_duration=None if max_duration_ms is None else max_duration_ms / 1000,
            parent_id=grant.parent_id,
            root_id=grant.root_id,
            version=grant.version,
            replay_of=grant.replay_of,
        ),
        attempt=AttemptInfo(grant.attempt, _moment(started_at), grant.crashes),
        task=TaskInfo(task.id, task.file),
        queue=QueueInfo(grant.queue),
        environment=worker.environment,
        batch=None if grant.batch_id is None else BatchInfo(grant.batch_id),
        machine=_machine(worker.machine_of(task, grant)),
    )


def _machine(name: str | None) -> MachineInfo | None:
    if name is None:
        return None
    preset = MACHINES.get(name)
    return MachineInfo(name) if preset is None else MachineInfo(*preset)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
