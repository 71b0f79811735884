"""What people and programs see of runs, tasks and queues: the shapes that every client gives back.

Importing this module loads Pydantic, so only clients, servers and commands that print do it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .status import FINAL, Status

__all__ = [
    "Attempt",
    "ChildRun",
    "DeclaredSchedule",
    "ErrorView",
    "Event",
    "Health",
    "JournalEntry",
    "LogEntry",
    "NotRunning",
    "Paused",
    "QueueView",
    "RelatedRuns",
    "RunDetail",
    "RunOutcome",
    "RunPage",
    "RunStatus",
    "RunSummary",
    "TaskList",
    "TaskProblem",
    "TaskView",
    "TokenDetail",
    "TokenPage",
    "TokenSummary",
    "TraceSpan",
    "TriggeredBatch",
    "TriggeredRun",
    "WaitView",
]


TokenStatus = Literal["WAITING", "COMPLETED", "TIMED_OUT"]


class View(BaseModel):
    """Base of the shapes: read only; fields of a newer server are left out. Times are aware, in UTC."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class ErrorView(View):
    """What went wrong. `traceback` is empty where only a short form is given; `code` names causes detent
    knows."""

    type: str
    message: str
    traceback: str = ""
    code: str = ""


class ChildRun(View):
    """A run that another run started."""

    id: str
    task: str
    status: Status
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Attempt(View):
    """One try at a run. `outcome` is the status it ended with, ``RETRY`` when another attempt followed,
    ``LOST`` when its worker was lost, None while it goes on."""

    number: int
    started_at: datetime | None
    finished_at: datetime | None = None
    outcome: str | None = None
    error: ErrorView | None = None
    worker: str | None = None


class WaitView(View):
    """A wait of a run: the journal `key` it stands under, and what it waits for.

    `kind` is ``children`` (`pending` of them have not ended), ``time`` (`until` then), ``token`` (its id) or
    ``input`` (a value that is sent to it); at most `until` then where that is set.
    """

    key: str
    kind: str = "children"
    pending: int = 0
    until: datetime | None = None
    token: str | None = None


class NotRunning(View):
    """Why a run is not executing yet.

    `code` is one of ``queued``, ``queue_limit``, ``key_limit``, ``env_limit``, ``paused``, ``delayed``,
    ``no_worker``, ``unserved_queue``, ``unserved_machine``, ``waiting``, ``run_paused``; `message` says it in a
    sentence. `position` is the place in the queue, from 1.
    """

    code: str
    message: str
    queue: str | None = None
    limit: int | None = None
    running: int | None = None
    position: int | None = None
    until: datetime | None = None


class Paused(View):
    """Why a run that waits goes on only when somebody says so: its code went another way than its journal.

    At the journal `key` the code asked for `received` where `expected` is recorded. `actions` are what can be done:
    ``resume`` (once the code fits again), ``fork`` (keep what comes before `key`), ``cancel``.
    """

    reason: str = ""
    key: str = ""
    expected: str = ""
    received: str = ""
    message: str = ""
    actions: list[str] = Field(default_factory=list)


class RunSummary(View):
    """A run as lists show it. `error` carries no traceback; `duration_ms` is the executing time of the
    latest attempt, without waits."""

    id: str
    task: str
    status: Status
    env: str
    queue: str
    concurrency_key: str = ""
    created_at: datetime
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_ms: int | None = None
    attempt: int = 1
    max_attempts: int | None = None
    tags: list[str] = Field(default_factory=list)
    parent_id: str | None = None
    root_id: str | None = None
    batch_id: str | None = None
    schedule_id: str | None = None
    version: str | None = None
    error: ErrorView | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended, in whatever way."""
        return self.status in FINAL

    @property
    def is_success(self) -> bool:
        """Whether the run has completed."""
        return self.status is Status.COMPLETED


class RelatedRuns(View):
    """Runs that belong to a run, besides its children: who started it, the first one above it, the one that it replays,
    and its latest 20 replays. None for one that was removed."""

    parent: ChildRun | None = None
    root: ChildRun | None = None
    replay_of: ChildRun | None = None
    replays: list[ChildRun] = Field(default_factory=list)


class RunDetail(RunSummary):
    """All that is known of one run. `machine` is what its trigger, or an attempt that ran out of memory, asks for;
    None for that of its task. `idempotency_key` is the hash under which the key is kept.

    `payload_presigned_url`, `output_presigned_url`: links with which anybody can read a payload or an output over
    128 KiB for an hour, or as long as the server's settings say. None for what is smaller, and for what holds a secret
    that is left out here.

    `replay_of` is the run that this one runs again; `forked_at` the journal key before which it kept what was done:
    empty where it kept all, None where it began anew.
    """

    payload: Any = None
    payload_presigned_url: str | None = None
    output: Any = None
    output_presigned_url: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    attempts: list[Attempt] = Field(default_factory=list)
    children: list[ChildRun] = Field(default_factory=list)
    children_total: int = 0
    waits: list[WaitView] = Field(default_factory=list)
    delay_until: datetime | None = None
    ttl_ms: int | None = None
    priority: float = 0
    max_duration_ms: int | None = None
    machine: str | None = None
    idempotency_key: str | None = None
    replay_of: str | None = None
    forked_at: str | None = None
    related: RelatedRuns = Field(default_factory=RelatedRuns)
    paused: Paused | None = None
    not_running: NotRunning | None = None


class RunPage(View):
    """Some runs, newest first; `next_cursor` leads to the following page, None after the last."""

    items: list[RunSummary]
    next_cursor: str | None = None


class RunStatus(View):
    """The status that a run has now."""

    id: str
    status: Status


class RunOutcome(View):
    """How a run stands. `ok` is None until it has ended; `output` is there when it completed."""

    id: str
    task: str
    status: Status
    ok: bool | None = None
    output: Any = None
    error: ErrorView | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended, in whatever way."""
        return self.status in FINAL


class Event(View):
    """One edge that a run went along: ``trigger``, ``claim``, ``park``, ``resume``, ``retry``, ``finish``
    ..."""

    seq: int
    at: datetime
    kind: str
    status: str
    attempt: int
    epoch: int = 0
    worker: str | None = None
    data: dict[str, Any] | None = None


class JournalEntry(View):
    """One entry of a run's journal: a step, a wait, runs that were started, a value.

    `key` names it, for a fork; `seq` grows in the order in which entries began. `status` is ``open`` (a wait that is
    not over), ``ok``, ``error``, or ``left`` (ended from inside, by a time-out say). `value` is JSON text, cut
    with ``…`` after 200 characters. `runs` are the first 20 of the `runs_total` that it started or found.
    """

    seq: int
    key: str
    kind: str
    target: str = ""
    status: str = "ok"
    attempt: int = 1
    at: datetime
    value: str | None = None
    error: ErrorView | None = None
    runs: list[str] = Field(default_factory=list)
    runs_total: int = 0


class LogEntry(View):
    """One line that a run wrote. `seq` grows with each line; pass the last one as ``after`` to read on.

    `source` tells where the line came from: ``logger``, ``print``, ``logging``, or ``detent`` itself.
    """

    seq: int
    at: datetime
    level: Literal["debug", "info", "warn", "error"] | str
    message: str
    attributes: dict[str, Any] | None = None
    span_id: str | None = None
    source: str = "logger"
    attempt: int = 1


class TraceSpan(View):
    """A stretch of time in a run, with those that lie within it. `end` and `ok` are None while it goes on."""

    id: str
    parent_id: str | None = None
    name: str
    kind: Literal["run", "attempt", "child", "hook", "retry", "wait", "queue", "user"] | str
    start: datetime
    end: datetime | None = None
    ok: bool | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)
    children: list[TraceSpan] = Field(default_factory=list)


class DeclaredSchedule(View):
    """When a task runs by itself: a cron pattern on the clock of `timezone`; in these `environments`, None for all."""

    cron: str
    timezone: str = "UTC"
    environments: list[str] | None = None


class TaskView(View):
    """A task as its worker described it. `served` tells whether a connected worker runs it now, `schedule` what is
    declared with it."""

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
    schedule: DeclaredSchedule | None = None
    updated_at: datetime | None = None
    served: bool = False


class QueueView(View):
    """A queue: most runs at once (`limit`, None without one), what executes and what waits.

    `limit` is what holds. It is another than `declared_limit`, that of code or settings, while it is overridden:
    since `overridden_at`, and at the latest until `override_until` where that is set.
    """

    name: str
    limit: int | None = None
    declared_limit: int | None = None
    overridden_at: datetime | None = None
    override_until: datetime | None = None
    limit_per_key: int | None = None
    paused: bool = False
    running: int = 0
    queued: int = 0


class TokenSummary(View):
    """A token as lists show it: ``WAITING``, ``COMPLETED`` or ``TIMED_OUT``.

    `url` completes it, without a key: a POST with the output. `timeout_at` is None for one that waits for ever.
    `run_id` is the run that made it, `waiting_runs` are those that wait for it (100 at most). `idempotency_key`
    is the hash under which the key is kept.
    """

    id: str
    status: TokenStatus
    url: str
    tags: list[str] = Field(default_factory=list)
    created_at: datetime
    timeout_at: datetime | None = None
    completed_at: datetime | None = None
    idempotency_key: str | None = None
    run_id: str | None = None
    waiting_runs: list[str] = Field(default_factory=list)

    @property
    def is_completed(self) -> bool:
        """Whether somebody has completed it in time."""
        return self.status == "COMPLETED"


class TokenDetail(TokenSummary):
    """A token with its `output`, once it is completed. `is_cached`: the call that asked for a new one found
    this one by its idempotency key."""

    output: Any = None
    is_cached: bool = False


class TokenPage(View):
    """Some tokens, newest first; `next_cursor` leads to the following page, None after the last."""

    items: list[TokenSummary]
    next_cursor: str | None = None


class TaskProblem(View):
    """A task file that cannot be used, and what to do."""

    file: str
    line: int
    message: str
    code: str = "problem"


class TaskList(View):
    """The tasks that workers have described, how many workers are connected, and task files that cannot be used."""

    items: list[TaskView]
    workers: int = 0
    problems: list[TaskProblem] = Field(default_factory=list)


class BrokerHealth(View):
    """How the way between the engines of one database is, by a broker or by PostgreSQL itself: `state` is ``ok``,
    ``degraded`` (slow, or a part of it fails) or ``down``; work goes on by polling then. `url` has no password."""

    url: str
    state: str
    since: datetime
    last_error: str | None = None
    latency_ms: float | None = None


class Health(View):
    """Whether work can flow: `status` is ``ok``, or ``no_workers`` while nobody would run anything. `broker`: None
    where one engine does everything."""

    status: str
    version: str
    env: str
    workers: int = 0
    runs: dict[str, int] = Field(default_factory=dict)
    problems: list[TaskProblem] = Field(default_factory=list)
    broker: BrokerHealth | None = None


class TriggeredRun(View):
    """A run that was triggered, or (`cached`) found under its idempotency key.

    `public_access_token` comes from a server: with it a browser may watch the run, for an hour. `served` is False when
    no worker that is connected runs its task: it begins when one is.
    """

    id: str
    cached: bool = False
    public_access_token: str | None = Field(default=None, repr=False)
    served: bool = True


class TriggeredBatch(View):
    """Runs that were triggered together, in the order of the items."""

    id: str
    runs: list[TriggeredRun]
