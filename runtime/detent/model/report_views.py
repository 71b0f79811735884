"""Whether work flows, and whose a problem is: the shapes of a report."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from .views import View

__all__ = [
    "ExecutionReport",
    "FlowReport",
    "LivenessReport",
    "LoopReport",
    "OldestRun",
    "QueueReport",
    "Ready",
    "Report",
    "TaskReport",
    "TopError",
    "Verdict",
    "WorkerReport",
]


class Verdict(View):
    """One finding. `code` is stable; `whose` is ``yours`` (code, limits, workers of the project) or ``the platform's``
    (detent, its store, its machine). `next`: commands that lead on."""

    code: str
    level: Literal["degraded", "failing"]
    whose: Literal["yours", "the platform's"]
    message: str
    next: list[str] = Field(default_factory=list)


class OldestRun(View):
    """The run that has been queued the longest, and why it does not run."""

    id: str
    task: str
    queue: str
    queued_ms: int
    reason: str


class QueueReport(View):
    """A queue: how many are queued and run, of how many at most; `oldest_ms`: how long the first has waited."""

    name: str
    limit: int | None = None
    paused: bool = False
    queued: int = 0
    running: int = 0
    oldest_ms: int | None = None


class FlowReport(View):
    """What came in and what went out in the period. `started` counts those that were triggered in it and have begun."""

    triggered: int
    triggered_before: int
    started: int
    finished: int
    finished_before: int
    queued: int
    running: int
    waiting: int
    delayed: int
    oldest: OldestRun | None = None
    queues: list[QueueReport] = Field(default_factory=list)


class TopError(View):
    """A problem that runs of the period ended with: how many, and one of them."""

    fingerprint: str
    type: str
    message: str
    count: int
    tasks: list[str]
    run_id: str


class TaskReport(View):
    """Runs of a task that ended in the period; times in milliseconds, of executing and of waiting for a start."""

    task: str
    finished: int
    failed: int
    p50_ms: int | None = None
    p95_ms: int | None = None
    queued_p95_ms: int | None = None


class ExecutionReport(View):
    """How runs ended in the period. Rates are from 0 to 1, None without a run; runs that were cancelled or expired do
    not count. `is_sampled`: only the latest of them were looked at."""

    by_status: dict[str, int] = Field(default_factory=dict)
    failure_rate: float | None = None
    failure_rate_before: float | None = None
    timeouts: int = 0
    crashes: int = 0
    retried: int = 0
    top_errors: list[TopError] = Field(default_factory=list)
    tasks: list[TaskReport] = Field(default_factory=list)
    is_sampled: bool = False


class WorkerReport(View):
    """A worker: how long ago it was heard of, how late its event loop is, and which code holds that up."""

    id: str
    host: str
    pid: int
    version: str | None = None
    connected: bool = False
    beat_ms: int
    lag_ms: int = 0
    blocked_by: str | None = None


class LoopReport(View):
    """A loop of the engine; `alive` is None where this process runs none."""

    name: str
    alive: bool | None = None
    errors: int = 0


class LivenessReport(View):
    """Workers, the engine's loops, and the store: how long a write takes, how large it is, what room there is."""

    workers: list[WorkerReport] = Field(default_factory=list)
    connected: int = 0
    loops: list[LoopReport] = Field(default_factory=list)
    store_ms: float | None = None
    store_bytes: int | None = None
    disk_free_bytes: int | None = None
    problems: list[dict[str, Any]] = Field(default_factory=list)


class Report(View):
    """One answer to "is work flowing, and is a problem mine or the platform's?".

    `status` is ``ok``, ``degraded`` or ``failing``: that of the worst verdict. The same state of things gives the same
    verdicts.
    """

    status: Literal["ok", "degraded", "failing"]
    summary: str
    env: str
    at: datetime
    period_ms: int
    verdicts: list[Verdict] = Field(default_factory=list)
    flow: FlowReport
    execution: ExecutionReport
    liveness: LivenessReport


class Ready(View):
    """The server takes requests, and its store can be written."""

    status: Literal["ready"]
