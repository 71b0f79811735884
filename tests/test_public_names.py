"""The names that users may rely on, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import detent
import detent.sync

NAMES = [
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
HEAVY = ["pydantic", "httpx", "dramatiq", "starlette", "mcp", "redis", "uvicorn", "obstore", "rich", "typer"]


def test_the_public_names_are_these_and_each_can_be_had() -> None:
    assert detent.__all__ == NAMES
    assert all(getattr(detent, name) is not None for name in NAMES)
    assert set(NAMES) < set(dir(detent))
    assert detent.sync.__all__ == ["batch", "envvars", "retry", "runs", "schedules", "step", "streams", "tasks", "wait"]


def test_importing_detent_and_declaring_a_task_imports_nothing_heavy() -> None:
    code = (
        "import sys, detent\n"
        "from detent import Context, Retry, queue, task\n"
        "@task(id='t', queue=queue('q', 5), retry=Retry(max_attempts=2))\n"
        "async def t(payload: dict, ctx: Context) -> str: ...\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
