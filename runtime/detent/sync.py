"""The blocking twins: ``from detent.sync import tasks, batch, retry, runs`` in code without an event loop."""

from __future__ import annotations

from .sdk.retry import retry as _retry
from .sdk.runs import runs as _runs
from .sdk.tasks import batch as _batch
from .sdk.tasks import tasks as _tasks

__all__ = ["batch", "retry", "runs", "tasks"]

batch = _batch.sync
retry = _retry.sync
runs = _runs.sync
tasks = _tasks.sync
