"""detent: durable background runs for Python AI applications.

Public names are here and in `detent.sync`; everything else may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import AbortTaskRunError, DetentError, RunFailed, StepFailed, WaitTimedOut

if TYPE_CHECKING:
    from . import objects
    from .client import AsyncDetent, Detent
    from .model.retry import RetryPolicy as Retry
    from .sdk.context import Context, WaitInfo
    from .sdk.envvars import envvars
    from .sdk.logger import logger
    from .sdk.notes import metadata, tags
    from .sdk.queue import queue
    from .sdk.result import BatchResult, Result
    from .sdk.retry import retry
    from .sdk.runs import runs
    from .sdk.scheduled import ScheduledPayload
    from .sdk.schedules import schedules
    from .sdk.step import step
    from .sdk.streams import streams
    from .sdk.task import Task, schema_task, task
    from .sdk.tasks import batch, idempotency_keys, tasks
    from .sdk.tokens import Token, TokenResult
    from .sdk.wait import wait

__all__ = [
    "AbortTaskRunError",
    "AsyncDetent",
    "BatchResult",
    "Context",
    "Detent",
    "DetentError",
    "Result",
    "Retry",
    "RunFailed",
    "ScheduledPayload",
    "StepFailed",
    "Task",
    "Token",
    "TokenResult",
    "WaitInfo",
    "WaitTimedOut",
    "batch",
    "envvars",
    "idempotency_keys",
    "logger",
    "metadata",
    "objects",
    "queue",
    "retry",
    "runs",
    "schedules",
    "schema_task",
    "step",
    "streams",
    "tags",
    "task",
    "tasks",
    "wait",
]

__version__ = "0.1.0"

#: Names are loaded at first use, so that `import detent` is quick.
_HOMES = {
    "AsyncDetent": ("detent.client", "AsyncDetent"),
    "BatchResult": ("detent.sdk.result", "BatchResult"),
    "Context": ("detent.sdk.context", "Context"),
    "Detent": ("detent.client", "Detent"),
    "Result": ("detent.sdk.result", "Result"),
    "Retry": ("detent.model.retry", "RetryPolicy"),
    "ScheduledPayload": ("detent.sdk.scheduled", "ScheduledPayload"),
    "Task": ("detent.sdk.task", "Task"),
    "Token": ("detent.sdk.tokens", "Token"),
    "TokenResult": ("detent.sdk.tokens", "TokenResult"),
    "WaitInfo": ("detent.sdk.context", "WaitInfo"),
    "batch": ("detent.sdk.tasks", "batch"),
    "envvars": ("detent.sdk.envvars", "envvars"),
    "idempotency_keys": ("detent.sdk.tasks", "idempotency_keys"),
    "logger": ("detent.sdk.logger", "logger"),
    "metadata": ("detent.sdk.notes", "metadata"),
    "objects": ("detent.objects", ""),
    "queue": ("detent.sdk.queue", "queue"),
    "retry": ("detent.sdk.retry", "retry"),
    "runs": ("detent.sdk.runs", "runs"),
    "schedules": ("detent.sdk.schedules", "schedules"),
    "schema_task": ("detent.sdk.task", "schema_task"),
    "step": ("detent.sdk.step", "step"),
    "streams": ("detent.sdk.streams", "streams"),
    "tags": ("detent.sdk.notes", "tags"),
    "task": ("detent.sdk.task", "task"),
    "tasks": ("detent.sdk.tasks", "tasks"),
    "wait": ("detent.sdk.wait", "wait"),
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'detent' has no name {name!r}")
    from importlib import import_module

    module = import_module(home[0])
    value = getattr(module, home[1]) if home[1] else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
