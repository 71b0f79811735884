"""The blocking twins: ``from detent.sync import tasks, batch, envvars, retry, runs, schedules, step, streams, wait`` in
code without an event loop."""

from __future__ import annotations

from .sdk.envvars import envvars as _envvars
from .sdk.retry import retry as _retry
from .sdk.runs import runs as _runs
from .sdk.schedules import schedules as _schedules
from .sdk.step import step as _step
from .sdk.streams import streams as _streams
from .sdk.tasks import batch as _batch
from .sdk.tasks import tasks as _tasks
from .sdk.wait import wait as _wait

__all__ = ["batch", "envvars", "retry", "runs", "schedules", "step", "streams", "tasks", "wait"]

batch = _batch.sync
envvars = _envvars.sync
retry = _retry.sync
runs = _runs.sync
schedules = _schedules.sync
step = _step.sync
streams = _streams.sync
tasks = _tasks.sync
wait = _wait.sync
