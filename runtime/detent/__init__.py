"""detent: durable background runs for Python AI applications.

Public names are here and in `detent.sync`; everything else may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import AbortTaskRunError, DetentError, RunFailed, StepFailed, WaitTimedOut

if TYPE_CHECKING:
    from . import objects
    from .client import AsyncDetent, Detent
    from .connection import configure, using
    from .model.retry import RetryPolicy as Retry
    from .sdk.context import Context, WaitInfo
    from .sdk.logger import logger
    from .sdk.notes import metadata, tags
    from .sdk.queue import queue
    from .sdk.resources import alerts, auth, batches, envvars, error_groups, logs, queues, runs, tokens
    from .sdk.result import BatchResult, Result
    from .sdk.retry import retry
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
    "alerts",
    "auth",
    "batch",
    "batches",
    "configure",
    "envvars",
    "error_groups",
    "idempotency_keys",
    "logger",
    "logs",
    "metadata",
    "objects",
    "queue",
    "queues",
    "retry",
    "runs",
    "schedules",
    "schema_task",
    "step",
    "streams",
    "tags",
    "task",
    "tasks",
    "tokens",
    "using",
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
    "alerts": ("detent.sdk.resources", "alerts"),
    "auth": ("detent.sdk.resources", "auth"),
    "batches": ("detent.sdk.resources", "batches"),
    "batch": ("detent.sdk.tasks", "batch"),
    "configure": ("detent.connection", "configure"),
    "envvars": ("detent.sdk.resources", "envvars"),
    "error_groups": ("detent.sdk.resources", "error_groups"),
    "idempotency_keys": ("detent.sdk.tasks", "idempotency_keys"),
    "logger": ("detent.sdk.logger", "logger"),
    "logs": ("detent.sdk.resources", "logs"),
    "metadata": ("detent.sdk.notes", "metadata"),
    "objects": ("detent.objects", ""),
    "queue": ("detent.sdk.queue", "queue"),
    "queues": ("detent.sdk.resources", "queues"),
    "retry": ("detent.sdk.retry", "retry"),
    "runs": ("detent.sdk.resources", "runs"),
    "schedules": ("detent.sdk.schedules", "schedules"),
    "schema_task": ("detent.sdk.task", "schema_task"),
    "step": ("detent.sdk.step", "step"),
    "streams": ("detent.sdk.streams", "streams"),
    "tags": ("detent.sdk.notes", "tags"),
    "task": ("detent.sdk.task", "task"),
    "tasks": ("detent.sdk.tasks", "tasks"),
    "tokens": ("detent.sdk.resources", "tokens"),
    "using": ("detent.connection", "using"),
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
