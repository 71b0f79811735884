"""`AsyncDetent`: the client for code on an event loop."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from ..model.account_views import WhoAmI
from ..model.diagnosis_views import Diagnosis
from ..model.duration import Duration, When
from ..model.options import TriggerOptions
from ..model.query_views import QueryResult, QuerySchema
from ..model.report_views import Report
from ..model.status import Status
from ..model.stream_views import InputSent, RunChange, RunUpdate
from ..model.transport import Transport
from ..model.views import (
    ChildRun,
    Event,
    Health,
    JournalEntry,
    LogEntry,
    RunDetail,
    RunOutcome,
    RunPage,
    TaskView,
    TraceSpan,
    TriggeredBatch,
    TriggeredRun,
)
from . import calls, query_calls, replays, reports
from .account_calls import who_am_i
from .alerts import AsyncAlertsResource
from .async_accounts import (
    AsyncEnvironmentsResource,
    AsyncKeysResource,
    AsyncOrgsResource,
    AsyncPeopleResource,
    AsyncProjectsResource,
)
from .auth import AsyncAuthResource
from .batches import AsyncBatchesResource
from .bulk import AsyncBulkResource
from .calls import Call
from .deployments import AsyncDeploymentsResource
from .diagnoses import diagnose_run
from .errors import AsyncErrorsResource
from .http_options import HttpOptions
from .logs import AsyncLogsResource
from .overviews import AsyncRunOverviews
from .pages import AsyncRuns
from .queues import AsyncQueuesResource
from .run_changes import AsyncRunChanges
from .schedules import AsyncSchedulesResource
from .subscriptions import AsyncStreamsResource, run_changes, run_update, send_input, tag_values
from .tokens import AsyncTokensResource
from .transports import choose
from .triggers import batch_runs, one_run, triggered, triggered_batch
from .variables import AsyncVariablesResource
from .waiting import LISTEN_S, pauses

__all__ = ["AsyncDetent", "AsyncQueuesResource", "AsyncRunsResource", "AsyncTasksResource"]

T = TypeVar("T")


class AsyncDetent:
    """A client of a project's engine, for code on an event loop. Calls may overlap.

    Parameters:
      transport: how the engine is reached; chosen by the surroundings when None: a server when `api_url` or
        ``DETENT_API_URL`` names one, else the engine of the project that the current folder belongs to.
      api_url: address of a server, such as ``https://detent.example.com``.
      secret_key: its key; ``DETENT_SECRET_KEY`` when None. It goes to that address only.
      project, environment: what a personal key, or that of a local server, is to be used for: the slug of a project,
        and ``dev``, ``staging``, ``prod`` or ``preview/BRANCH``; ``DETENT_PROJECT`` and ``DETENT_ENVIRONMENT`` when
        None, else the only project, and ``dev``. A key of an environment reaches its own alone.
      http: ``timeout``, ``max_retries``, ``proxy``, ``headers``, ``http_transport``, see `HttpOptions`.

    Every call may raise `ServerUnreachable` and `StoreError`, and of a server `Unauthorized`, `Forbidden`,
    `RateLimited` and `ServerError`.
    """

    def __init__(
        self,
        transport: Transport | None = None,
        *,
        api_url: str | None = None,
        secret_key: str | None = None,
        project: str | None = None,
        environment: str | None = None,
        **http: Unpack[HttpOptions],
    ) -> None:
        self._transport, self._own = choose(transport, api_url, secret_key, project, environment, **http)
        self.runs = AsyncRunsResource(self._transport)
        self.tasks = AsyncTasksResource(self._transport)
        self.batches = AsyncBatchesResource(self._transport)
        self.queues = AsyncQueuesResource(self._transport)
        self.schedules = AsyncSchedulesResource(self._transport)
        self.deployments = AsyncDeploymentsResource(self._transport)
        self.tokens = AsyncTokensResource(self._transport)
        self.logs = AsyncLogsResource(self._transport)
        self.errors = AsyncErrorsResource(self._transport)
        self.envvars = AsyncVariablesResource(self._transport)
        self.streams = AsyncStreamsResource(self._transport)
        self.alerts = AsyncAlertsResource(self._transport)
        self.keys = AsyncKeysResource(self._transport)
        self.projects = AsyncProjectsResource(self._transport)
        self.environments = AsyncEnvironmentsResource(self._transport)
        self.orgs = AsyncOrgsResource(self._transport)
        self.people = AsyncPeopleResource(self._transport)
        self.auth = AsyncAuthResource(self._transport)

    @property
    def transport(self) -> Transport:
        """How the engine is reached, for `detent.using`."""
        return self._transport

    def __repr__(self) -> str:
        return f"AsyncDetent({self._transport!r})"

    async def report(self, period: Duration = "1h") -> Report:
        """One answer to "is work flowing, and is a problem mine or the platform's?": what came and went in the period,
        how runs ended against the period before, workers and store, and verdicts with stable codes.

        Parameters:
          period: a length of time back from now, 1 minute to 30 days.

        Errors: `InvalidOptions`.
        """
        return await _do(self._transport, reports.report(period))

    async def query(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), *, limit: int | None = None
    ) -> QueryResult:
        """The rows of one SELECT over the views ``runs``, ``attempts``, ``spans`` and ``logs`` of this environment; see
        `query_schema` for their columns.

        Parameters:
          parameters: what ``?`` (a sequence) or ``:name`` (a mapping) in it stand for.
          limit: most rows, at most 10,000.

        Errors: `InvalidOptions` with near names of views, columns and functions; `LimitExceeded` when it takes more
        than 10 s or three run already.
        """
        return await _do(self._transport, query_calls.ask(sql, parameters, limit))

    async def query_schema(self) -> QuerySchema:
        """The views that `query` can name, with their columns."""
        return await _do(self._transport, query_calls.schema())

    async def whoami(self) -> WhoAmI:
        """Whose key this is: its kind, environment, project, role and scopes. Errors: `Unauthorized`."""
        return await _do(self._transport, who_am_i())

    async def health(self) -> Health:
        """Whether work can flow: connected workers, runs by status, task files that cannot be used."""
        return await _do(self._transport, calls.health())

    async def close(self) -> None:
        """Let go of the connections that this client opened."""
        if self._own is not None:
            await self._own.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def _do(transport: Transport, call: Call[T]) -> T:
    return await call.ask_async(transport)


class AsyncRunsResource(AsyncRunChanges, AsyncRunOverviews):
    """Runs: find, look at, wait for, cancel, run again."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.bulk = AsyncBulkResource(transport)

    def list(
        self,
        *,
        status: str | Iterable[str] | None = None,
        task: str | Iterable[str] | None = None,
        version: str | Iterable[str] | None = None,
        tag: str | Iterable[str] | None = None,
        queue: str | None = None,
        batch: str | None = None,
        parent: str | None = None,
        root: str | None = None,
        schedule: str | None = None,
        since: When | None = None,
        until: When | None = None,
        period: Duration | None = None,
        search: str | None = None,
        error: str | None = None,
        limit: int = 25,
        cursor: str | None = None,
    ) -> AsyncRuns:
        """Runs, newest first. Use ``async for``: further pages are fetched as needed. The pages are stable
        while runs arrive.

        Parameters:
          status, task, version, tag: one, or several of which one must fit. `queue`, `batch`, `parent`, `root`,
            `schedule`: ids or names.
          since, until: created from and before; a moment, or a length of time ago such as ``"1h"``. `period`: a
            length of time back from now.
          search: text in the id, the task or the error. `error`: text in the type or the message of the error.
          limit: runs of a page, 1 to 100. `cursor`: where to go on, from `RunPage.next_cursor`.
        """
        filters = calls.run_filters(
            status=status,
            task=task,
            version=version,
            tag=tag,
            queue=queue,
            batch=batch,
            parent=parent,
            root=root,
            schedule=schedule,
            since=since,
            until=until,
            period=period,
            search=search,
            error=error,
            limit=limit,
        )

        async def fetch(where: str | None) -> RunPage:
            return await _do(self._transport, calls.list_runs(filters, where))

        return AsyncRuns(fetch, cursor)

    async def retrieve(self, run_id: str) -> RunDetail:
        """All that is known of a run. Errors: `NotFound`."""
        return await _do(self._transport, calls.retrieve_run(run_id))

    async def cancel(self, run_id: str, reason: str = "") -> Status:
        """Cancel a run and all that it started; the status it has now (a run that executes is told to stop
        and ends within 30 s). Errors: `NotFound`; `Conflict` when it has ended otherwise."""
        return await _do(self._transport, calls.cancel_run(run_id, reason))

    async def replay(self, run_id: str, payload: Any = replays.SAME, **options: Unpack[TriggerOptions]) -> TriggeredRun:
        """Run a run again from its beginning, in whatever state it is: a new run of the same task, with the same
        payload and options.

        Parameters:
          payload: another one. `options`: those that are to be otherwise, see `TriggerOptions`; all but ``debounce``.

        Errors: `NotFound`, and those of a trigger.
        """
        return await _do(self._transport, replays.replay_run(run_id, payload, options))

    async def fork(self, run_id: str, at: str | None = None) -> TriggeredRun:
        """Run a run again from one of its steps on, in whatever state it is: a new run that keeps what was finished
        before, so that it is not done again.

        Parameters:
          at: key of the first journal entry that is not kept, see `journal`; None keeps all that is finished.

        Errors: `NotFound` for the run or the entry, and those of a trigger.
        """
        return await _do(self._transport, replays.fork_run(run_id, at))

    async def resume(self, run_id: str) -> Status:
        """Let a paused run go on (see `RunDetail.paused`); the status it has now. Errors: `NotFound`; `Conflict` when
        it is not paused."""
        return await _do(self._transport, replays.resume_run(run_id))

    async def journal(self, run_id: str, *, after: int | None = None, limit: int = 1000) -> builtins.list[JournalEntry]:
        """What the run has in its journal: steps, waits, runs that it started; in the order in which they began.
        `after`: only those with a higher `seq`."""
        return await _do(self._transport, replays.journal_of_run(run_id, after, limit))

    async def logs(
        self, run_id: str, *, level: str | None = None, after: int | None = None, limit: int = 1000
    ) -> builtins.list[LogEntry]:
        """Lines that the run wrote, oldest first, of `level` and above; `after`: only those with a higher
        `seq`."""
        return await _do(self._transport, calls.logs_of_run(run_id, level, after, limit))

    async def trace(self, run_id: str) -> TraceSpan:
        """The run as a tree of spans: time in the queue, attempts, children, waits, retries, hooks, user
        spans."""
        return await _do(self._transport, calls.trace_of_run(run_id))

    async def events(self, run_id: str) -> builtins.list[Event]:
        """The history of the run, oldest first."""
        return await _do(self._transport, calls.events_of_run(run_id))

    async def diagnose(self, run_id: str) -> Diagnosis:
        """Why the run failed or is not running: a verdict in a sentence, the error with the lines of your code around
        each frame, what it waits for, where its time went, the same failure elsewhere, and what to do.
        Errors: `NotFound`."""
        return await _do(self._transport, diagnose_run(run_id))

    async def children(self, run_id: str) -> builtins.list[ChildRun]:
        """The runs that this run started, oldest first."""
        return await _do(self._transport, calls.children_of_run(run_id))

    async def result(self, run_id: str) -> RunOutcome:
        """How the run stands now, with output or error when it has ended."""
        return await _do(self._transport, calls.result_of_run(run_id))

    async def poll(self, run_id: str, timeout: Duration | None = None) -> RunOutcome:  # noqa: ASYNC109  # as in `Detent`
        """Wait until the run has ended. `timeout` in seconds or as text; `TimeoutError` when it has
        passed."""
        waits = pauses(run_id, timeout, longest=LISTEN_S)
        outcome = await self.result(run_id)
        while not outcome.is_finished:
            await self._transport.wait_async(run_id, next(waits))
            outcome = await self.result(run_id)
        return outcome

    async def subscribe(self, run_id: str, *, after: str | None = None) -> AsyncIterator[RunUpdate]:
        """The run as it is now, and each time that it changes; it ends with the run.

        Parameters:
          after: the id of the latest event that is known, for those who come back after a restart of their own.

        A connection that breaks is made again, and nothing is missed. Errors: `NotFound`, `ServerUnreachable`.
        """
        async for event in self._transport.follow_async("realtime.run", {"id": run_id}, after):
            update = run_update(event)
            if update is not None:
                yield update

    async def subscribe_to_tag(
        self,
        tag: str | Iterable[str],
        *,
        task: str | Iterable[str] | None = None,
        status: str | Iterable[str] | None = None,
        created_at: When | None = None,
    ) -> AsyncIterator[RunChange]:
        """Runs with this tag, or one of several: the latest 100, then each that comes or changes. It has no end.

        Parameters:
          task, status: only runs of these. `created_at`: only runs created then or later, a moment or a length of time
            ago.
        """
        values = tag_values(tag, task, status, created_at)
        async for event in self._transport.follow_async("realtime.runs", values, None):
            for run in run_changes(event):
                yield run

    async def subscribe_to_batch(self, batch_id: str) -> AsyncIterator[RunChange]:
        """The runs of a batch, then each that changes, until all have ended. Errors: `NotFound`."""
        async for event in self._transport.follow_async("realtime.batch", {"id": batch_id}, None):
            for run in run_changes(event):
                yield run

    async def send_input(self, run_id: str, stream: str, value: Any) -> InputSent:
        """Send a JSON value to a run, which reads it by ``streams.input(stream)``: now, or when it comes to it.

        Errors: `NotFound`; `Conflict` for a run that has ended; `LimitExceeded`, `Unserializable`.
        """
        return await send_input(run_id, stream, value).ask_async(self._transport)


class AsyncTasksResource:
    """Tasks: what can be run, and triggering it by id."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> builtins.list[TaskView]:
        """The tasks that a worker of this project has described."""
        return await _do(self._transport, calls.list_tasks())

    async def retrieve(self, task_id: str) -> TaskView:
        """One task with its schemas. Errors: `TaskNotFound` with near names."""
        return await _do(self._transport, calls.retrieve_task(task_id))

    async def trigger(self, task_id: str, payload: Any = None, **options: Unpack[TriggerOptions]) -> TriggeredRun:
        """Start a run. It is durable when this returns.

        Parameters:
          payload: a JSON value, or what Pydantic writes as one. `options`: see `TriggerOptions`.

        Errors: `TaskNotFound`, `InvalidPayload`, `InvalidOptions`, `LimitExceeded`, `Unserializable`.
        """
        handles = await self._transport.trigger_async([one_run(task_id, payload, options)])
        return triggered(handles[0])

    async def batch_trigger(self, items: Sequence[Mapping[str, Any]], task_id: str | None = None) -> TriggeredBatch:
        """Start up to 1,000 runs, all or none.

        Parameters:
          items: mappings with ``payload``, ``options`` (see `TriggerOptions`), and ``task`` unless
            `task_id` is given.
        """
        batch_id, runs = batch_runs(items, task_id)
        handles = await self._transport.trigger_async(runs, batch_id)
        # Inside a run the batch has an id that is the same when the run is executed again.
        return triggered_batch(runs[0].batch_id or batch_id, handles)
