"""The blocking twins: ``from detent.sync import tasks, batch, runs, queues, step, wait ...`` in code without an event
loop."""

from __future__ import annotations

from .sdk.resources import alerts as _alerts
from .sdk.resources import auth as _auth
from .sdk.resources import batches as _batches
from .sdk.resources import envvars as _envvars
from .sdk.resources import error_groups as _error_groups
from .sdk.resources import logs as _logs
from .sdk.resources import queues as _queues
from .sdk.resources import runs as _runs
from .sdk.resources import tokens as _tokens
from .sdk.retry import retry as _retry
from .sdk.schedules import schedules as _schedules
from .sdk.step import step as _step
from .sdk.streams import streams as _streams
from .sdk.tasks import batch as _batch
from .sdk.tasks import tasks as _tasks
from .sdk.wait import wait as _wait

__all__ = [
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

alerts = _alerts.sync
auth = _auth.sync
batch = _batch.sync
batches = _batches.sync
envvars = _envvars.sync
error_groups = _error_groups.sync
logs = _logs.sync
queues = _queues.sync
retry = _retry.sync
runs = _runs.sync
schedules = _schedules.sync
step = _step.sync
streams = _streams.sync
tasks = _tasks.sync
tokens = _tokens.sync
wait = _wait.sync
