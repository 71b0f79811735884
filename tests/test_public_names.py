"""The names that users may rely on, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import detent
import detent.sync
from detent.client import AsyncDetent, Detent

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
SYNC_NAMES = [
    "alerts",
    "auth",
    "batch",
    "batches",
    "envvars",
    "error_groups",
    "logs",
    "queues",
    "retry",
    "runs",
    "schedules",
    "step",
    "streams",
    "tasks",
    "tokens",
    "wait",
]
#: Resources of the clients that have another name here: `detent.errors` is the module of the exceptions.
RENAMED = {"errors": "error_groups"}
#: Resources of those who run a server, who have a client with a key of their own.
OF_OPERATORS = {"deployments", "environments", "keys", "orgs", "people", "projects"}
#: Of a batch, ``batch.trigger``, which also takes tasks themselves.
ELSEWHERE = {("tasks", "batch_trigger")}
HEAVY = ["pydantic", "httpx", "dramatiq", "starlette", "mcp", "redis", "uvicorn", "obstore", "rich", "typer"]


def test_the_public_names_are_these_and_each_can_be_had() -> None:
    assert detent.__all__ == NAMES
    assert all(getattr(detent, name) is not None for name in NAMES)
    assert set(NAMES) < set(dir(detent))
    assert detent.sync.__all__ == SYNC_NAMES


@pytest.mark.parametrize(("module", "kind"), [(detent, AsyncDetent), (detent.sync, Detent)])
def test_every_method_of_every_resource_is_reached_by_a_name_of_the_module(module: Any, kind: type[Any]) -> None:
    client = kind()
    resources = {name: part for name, part in vars(client).items() if type(part).__name__.endswith("Resource")}
    assert {"runs", "tasks", "queues", "tokens"} < resources.keys()
    for name in resources.keys() - OF_OPERATORS:
        resource, here = resources[name], getattr(module, RENAMED.get(name, name))
        for method in dir(resource):
            if not method.startswith("_") and (name, method) not in ELSEWHERE:
                assert callable(getattr(here, method)) or method == "bulk", f"{name}.{method}"


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


def test_a_worker_beside_its_store_imports_neither_an_http_client_nor_a_terminal() -> None:
    code = (
        "import sys, detent.worker.process\nprint([name for name in ('httpx', 'rich', 'click') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
