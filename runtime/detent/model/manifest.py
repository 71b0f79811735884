"""What a worker says it can run: tasks and queues, as they were found by discovery."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

__all__ = ["Manifest", "ProblemSpec", "QueueSpec", "ScheduleSpec", "TaskSpec"]


class QueueSpec(Struct, frozen=True, omit_defaults=True):
    """A queue: at most `limit` runs at once, and at most `limit_per_key` for one concurrency key. None: no
    limit."""

    name: str
    limit: int | None = None
    limit_per_key: int | None = None


class ScheduleSpec(Struct, frozen=True, omit_defaults=True):
    """When a task runs by itself: a cron pattern of five fields on the clock of `timezone`. `environments`: only in
    these; None: in all."""

    cron: str
    timezone: str = "UTC"
    environments: list[str] | None = None


class TaskSpec(Struct, frozen=True, omit_defaults=True):
    """A task as its worker knows it. `sync` tells a plain ``def`` from an ``async def``; `isolation` is one of
    `model.machine.ISOLATIONS`, `machine` a preset or a label. Times are milliseconds. `hooks`: the events that it has
    hooks for, its own or everyone's. `schedule`: declared with it."""

    id: str
    queue: str
    sync: bool = False
    file: str = ""
    line: int = 0
    description: str = ""
    max_attempts: int = 3
    max_duration_ms: int | None = None
    isolation: str = "none"
    machine: str | None = None
    retry: dict[str, Any] | None = None
    payload_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    hooks: list[str] = field(default_factory=list)
    schedule: ScheduleSpec | None = None


class ProblemSpec(Struct, frozen=True, omit_defaults=True):
    """A task file that cannot be used, and what to do."""

    file: str
    line: int
    message: str
    code: str = "problem"


class Manifest(Struct, frozen=True, omit_defaults=True):
    """All that one version of a project can run."""

    tasks: list[TaskSpec] = field(default_factory=list)
    queues: list[QueueSpec] = field(default_factory=list)
    problems: list[ProblemSpec] = field(default_factory=list)
    version: str | None = None
