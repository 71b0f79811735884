"""What clients can ask, by name: the seam under every transport. Answers are plain JSON values."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from importlib.metadata import PackageNotFoundError, version
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from ..accounts import AccountOperations, Accounts, Principal
from ..errors import InvalidOptions, NotFound, TaskNotFound
from ..model.ids import is_id
from ..model.log_query import LineQuery
from ..model.plain_text import refuse_nul
from ..model.protocol import Handle, NewRun
from ..vault import Vault
from . import failpoints, views
from .alert_operations import AlertOperations
from .answers import Answers
from .batch_operations import BatchOperations
from .bulk_operations import BulkOperations
from .deployment_operations import DeploymentOperations
from .diagnosis_operations import DiagnosisOperations
from .engine import Engine
from .environments import EnvironmentUpkeep
from .error_operations import ErrorOperations
from .log_operations import LogOperations
from .metrics import MetricsOperations
from .object_operations import LINK_S, ObjectOperations
from .overview_operations import OverviewOperations
from .payloads import Objects, check_payloads, read_json, store_large_payloads
from .queries import Cursor, Level, Moment, PageSize, Seq, StatusName, whole
from .query_operations import QueryOperations
from .queue_operations import QueueOperations
from .reasons import why_not_running
from .redacted import redacted
from .replay_operations import ReplayOperations
from .report_operations import ReportOperations
from .run_filters import read_filter, renamed
from .run_lists import page_of_runs
from .run_operations import RunOperations
from .schedule_operations import ScheduleOperations
from .source_lines import SourceFiles
from .stream_operations import StreamOperations
from .token_operations import TokenOperations
from .trace import trace_of
from .trigger_checks import TriggerChecks
from .unserved import unserved
from .variable_operations import VariableOperations
from .variables import Secrets

__all__ = ["Operations", "Telemetry"]

#: Most runs of a page, children shown with a run, children in a trace, lines of an answer.
PAGE, CHILDREN, TRACED_CHILDREN, LINES = 100, 100, 1_000, 10_000


ChildrenLimit = Annotated[int, Meta(ge=1, le=TRACED_CHILDREN)]
LinesLimit = Annotated[int, Meta(ge=1, le=LINES)]


#: What is kept as JSON, or as a hash, and may hold every character.
_JSON = frozenset(
    {"idempotency_key", "metadata", "operations", "options", "output", "parameters", "payload", "sql", "text", "value"}
)
#: Runs that a run names, and replays of a run that are shown.
_RELATIVES = {"parent": "parent_id", "root": "root_id", "replay_of": "replay_of"}
REPLAYS = 20


class Telemetry(Protocol):
    """Where the logs and spans of runs are kept (see `detent.telemetry`)."""

    @property
    def path(self) -> Path | None: ...

    def flush(self) -> bool: ...

    def logs(
        self, run_id: str, *, level: str | None = None, after: int | None = None, limit: int = 1_000
    ) -> list[dict[str, Any]]: ...

    def spans(self, run_id: str) -> list[dict[str, Any]]: ...

    def search(self, query: LineQuery) -> tuple[list[dict[str, Any]], int | None]: ...


class Operations:
    """The operations of one engine.

    Parameters:
      engine: whose runs. `telemetry`: its logs and spans, where they are kept at all.
      objects: where large payloads and outputs go; without it they stay in the store.
      sources: the project's files, where they are on this machine.
      accounts: whose keys are good; those of the engine's store when None.
      vault: seals secrets; one that ends with this process when None.
      link_s: how long links to large values are good, in seconds.
      hidden: values that no answer may show, besides those of secret variables. `secret_names`: see `Redactor`.
    """

    def __init__(
        self,
        engine: Engine,
        telemetry: Telemetry | None = None,
        objects: Objects | None = None,
        sources: SourceFiles | None = None,
        accounts: Accounts | None = None,
        *,
        vault: Vault | None = None,
        link_s: float = LINK_S,
        hidden: Sequence[str] = (),
        secret_names: Sequence[str] = (),
    ) -> None:
        self._engine = engine
        self._store = engine.store
        self._telemetry = telemetry
        self._objects = objects
        self.accounts = accounts or Accounts(engine.store, engine.clock.now)
        vault = vault or Vault.of_this_process()
        self._beside = partial(
            Operations,
            telemetry=telemetry,
            objects=objects,
            sources=sources,
            accounts=self.accounts,
            vault=vault,
            link_s=link_s,
            hidden=hidden,
            secret_names=secret_names,
        )
        self.tokens = TokenOperations(engine, objects)
        #: Who may read which objects, and links to them.
        self.objects = ObjectOperations(engine, objects, link_s)
        #: Answers to requests that may come again.
        self.answers = Answers(engine, vault)
        #: What the views of this environment leave out.
        self.secrets = Secrets(engine.store, vault, engine.env, hidden, secret_names)
        self.streams = StreamOperations(engine, self.secrets.redactor)
        # The files are those of the first project: to others, a frame that names one must not show it.
        is_first = not is_id("env", engine.env)
        self._by_name: dict[str, Callable[..., Any]] = {
            "health": self.health,
            "runs.cancel": self.cancel_run,
            "runs.children": self.children_of_run,
            "runs.events": self.events_of_run,
            "runs.list": self.list_runs,
            "runs.logs": self.logs_of_run,
            "runs.result": self.result_of_run,
            "runs.retrieve": self.retrieve_run,
            "runs.trace": self.trace_of_run,
            "tasks.list": self.list_tasks,
            "tasks.retrieve": self.retrieve_task,
            **TriggerChecks(engine).by_name,
            **self.tokens.by_name,
            **DiagnosisOperations(engine, telemetry, sources if is_first else None).by_name,
            **LogOperations(engine, telemetry).by_name,
            **OverviewOperations(self.retrieve_run, self.trace_of_run, self.logs_of_run, self.secrets.redactor).by_name,
            **QueryOperations(engine, telemetry, self.secrets.redactor).by_name,
            **ReportOperations(engine).by_name,
            **MetricsOperations(engine, telemetry).by_name,
            **self.streams.by_name,
            **ReplayOperations(engine, objects).by_name,
            **QueueOperations(engine).by_name,
            **ScheduleOperations(engine).by_name,
            **BatchOperations(engine, objects).by_name,
            **BulkOperations(engine).by_name,
            **RunOperations(engine).by_name,
            **ErrorOperations(engine).by_name,
            **VariableOperations(engine, vault, self.secrets).by_name,
            **AlertOperations(engine, vault).by_name,
            **DeploymentOperations(engine, objects).by_name,
        }
        accounts_of_owner = self._accounts_for(lambda: self.accounts.owner(engine.env))
        #: The operations whose answer depends on who asks; here they are those of the owner.
        self._account_operations = frozenset(accounts_of_owner.by_name)
        self._by_name |= accounts_of_owner.by_name
        self._takes = {name: _names(getattr(method, "__func__", method)) for name, method in self._by_name.items()}

    @property
    def env(self) -> str:
        """The environment whose runs these are."""
        return self._engine.env

    def in_env(self, env: str) -> Operations:
        """The same operations for another environment."""
        return self if env == self.env else self._beside(self._engine.in_env(env))

    @property
    def account_operations(self) -> frozenset[str]:
        """The operations whose answer depends on who asks."""
        return self._account_operations

    @property
    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """The operations by name. Their annotations say what they take; see `detent.server.parameters`."""
        return self._by_name

    def call(self, operation: str, **values: Any) -> Any:
        """The answer to `operation`. Errors: those of the operation; `InvalidOptions` for values it does
        not take."""
        method = self._by_name.get(operation)
        if method is None:
            raise NotFound(f"no operation {operation!r}; known are: {', '.join(self._by_name)}")
        if operation in self._account_operations:
            # Who that is may have to be written first, which cannot be done within the write of the operation.
            return self.call_as(self.accounts.owner(self.env), operation, **values)
        return self._answer(operation, method, values)

    def call_as(self, principal: Principal, operation: str, **values: Any) -> Any:
        """The answer to `operation` for `principal`, who may ask it of this environment. Errors: as of `call`."""
        if operation not in self._account_operations:
            return self.call(operation, **values)
        return self._answer(operation, self._accounts_for(principal).by_name[operation], values)

    def _accounts_for(self, principal: Principal | Callable[[], Principal]) -> AccountOperations:
        upkeep = EnvironmentUpkeep(self._engine)
        return AccountOperations(self.accounts, principal, upkeep, lambda: self._engine.callbacks.base)

    def _answer(self, operation: str, method: Callable[..., Any], values: Mapping[str, Any]) -> Any:
        if operation == "runs.list":
            values = renamed(values)
        names = self._takes[operation]
        unknown = sorted(values.keys() - names)
        if unknown:
            taken = ", ".join(sorted(names)) or "nothing"
            raise InvalidOptions(f"{operation} does not take {unknown[0]!r}; it takes: {taken}")
        for name, value in values.items():
            if name not in _JSON:
                refuse_nul(name, value)
        with failpoints.during(operation):
            return redacted(operation, method(**values), self.secrets.redactor)

    def trigger(self, runs: Sequence[NewRun], batch_id: str | None = None) -> list[Handle]:
        """Make runs, all or none; durable when it returns.

        Errors: `TaskNotFound`, `InvalidPayload`, `InvalidOptions`, `LimitExceeded`, `StoreError`.
        """
        check_payloads(self._store, self._engine.env, runs)
        with failpoints.during(failpoints.TRIGGER):
            return self.objects.triggered(
                store_large_payloads(self._objects, runs), lambda made: self._engine.trigger(made, batch_id=batch_id)
            )

    def serves(self, task: str) -> bool:
        """Whether a worker that is connected runs `task`."""
        return bool(self._engine.knows(task))

    def wait(self, run_id: str, most_s: float) -> None:
        """Come back when the run has ended, at the latest after `most_s` seconds."""
        self._engine.wait(run_id, most_s)

    # Runs.

    def list_runs(
        self,
        *,
        status: Sequence[StatusName] = (),
        task: Sequence[str] = (),
        version: Sequence[str] = (),
        tag: Sequence[str] = (),
        queue: str | None = None,
        batch: str | None = None,
        parent: str | None = None,
        root: str | None = None,
        schedule: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        period: str | None = None,
        search: str | None = None,
        error: str | None = None,
        limit: PageSize = 25,
        cursor: Cursor | None = None,
    ) -> dict[str, Any]:
        """A page of runs, newest first; it may be shorter than `limit`, even empty, with more to follow.

        `since`, `until` (also ``from`` and ``to``): ISO-8601 with a zone. `period`: a length of time back from now.
        `search`: text in the id, the task or the error; `error`: in the error alone.
        """
        wanted = read_filter(
            self._engine.clock.now(),
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
        )
        before = None if cursor is None else whole("cursor", cursor, 1, 2**62)
        rows, more = page_of_runs(self._store, self._engine.env, wanted, whole("limit", limit, 1, PAGE), before)
        allowed = self._attempts_allowed({row["task"] for row in rows if row["max_attempts"] is None})
        now = self._engine.clock.now()
        items = [views.run_summary(row, allowed.get(row["task"]), now) for row in rows]
        return {"items": items, "next_cursor": None if more is None else str(more)}

    def retrieve_run(self, *, id: str) -> dict[str, Any]:
        """All that is known of a run."""
        row = self._run(id)
        waits = self._store.read("view_waits", run_id=id)
        children, total = self._children(id, CHILDREN)
        allowed = self._attempts_allowed({row["task"]}).get(row["task"])
        detail = views.run_detail(
            row,
            allowed,
            self._engine.clock.now(),
            events=self._store.read("list_events", run_id=id),
            children=children,
            children_total=total,
            waits=waits,
        )
        detail["payload"] = read_json(self._objects, row["payload"], row["payload_ref"])
        detail["output"] = read_json(self._objects, row["output"], row["output_ref"])
        detail["payload_presigned_url"] = self.objects.link(row["payload_ref"])
        detail["output_presigned_url"] = self.objects.link(row["output_ref"])
        detail["not_running"] = why_not_running(
            self._store,
            row,
            waits,
            knows=self._engine.knows,
            env_limit=self._engine.env_limit,
            unserved=partial(unserved, self._engine),
        )
        detail["related"] = self._related(row)
        return detail

    def tags_of(self, run_id: str) -> list[str]:
        """The tags of a run. Errors: `NotFound`."""
        tags: list[str] = msgspec.json.decode(self._run(run_id)["tags"])
        return tags

    def cancel_run(self, *, id: str, reason: str = "") -> dict[str, Any]:
        """Cancel a run and its descendants."""
        return {"id": id, "status": self._engine.cancel(id, reason)}

    def result_of_run(self, *, id: str) -> dict[str, Any]:
        """How a run stands, with output or error when it has ended."""
        row = self._run(id)
        ended = views.is_final(row)
        return {
            "id": id,
            "task": row["task"],
            "status": views.status_of(row),
            "ok": row["state"] == "COMPLETED" if ended else None,
            "output": read_json(self._objects, row["output"], row["output_ref"]) if ended else None,
            "error": views.error_view(row["error"]) if ended else None,
        }

    def events_of_run(self, *, id: str) -> dict[str, Any]:
        """The history of a run."""
        self._run(id)
        return {"items": [views.event_view(row) for row in self._store.read("list_events", run_id=id)]}

    def children_of_run(
        self, *, id: str, limit: Annotated[int, Meta(ge=1, le=TRACED_CHILDREN)] = TRACED_CHILDREN
    ) -> dict[str, Any]:
        """The runs that a run started, oldest first."""
        self._run(id)
        children, total = self._children(id, whole("limit", limit, 1, TRACED_CHILDREN))
        return {"items": [views.child_view(child) for child in children], "total": total}

    def trace_of_run(self, *, id: str) -> dict[str, Any]:
        """The tree of spans of a run."""
        row = self._run(id)
        children, total = self._children(id, TRACED_CHILDREN)
        spans = self._telemetry.spans(id) if self._telemetry is not None else []
        return trace_of(row, self._store.read("list_events", run_id=id), children, total, spans)

    def logs_of_run(
        self,
        *,
        id: str,
        level: Level | None = None,
        after: Seq | None = None,
        limit: LinesLimit = 1_000,
    ) -> dict[str, Any]:
        """The lines that a run wrote, of `level` and above, beyond the seq `after`."""
        self._run(id)
        if level is not None and level not in {"debug", "info", "warn", "error"}:
            raise InvalidOptions(f"level must be one of debug, info, warn, error, got {level!r}")
        beyond = None if after is None else whole("after", after, 0, 2**62)
        most = whole("limit", limit, 1, LINES)
        if self._telemetry is None:
            return {"items": []}
        lines = self._telemetry.logs(id, level=level, after=beyond, limit=most)
        for line in lines:
            line["at"] = views.iso(line["at"])
        return {"items": lines}

    # Tasks, health.

    def list_tasks(self) -> dict[str, Any]:
        """The tasks that workers have described, how many workers are connected, and task files that cannot be used."""
        rows = self._store.read("list_tasks", env=self._engine.env)
        workers = self._store.read("list_workers")
        return {
            "items": [views.task_view(row, bool(self._engine.knows(row["id"]))) for row in rows],
            "workers": self._connected(workers),
            "problems": self._problems(workers),
        }

    def retrieve_task(self, *, id: str) -> dict[str, Any]:
        """One task."""
        rows = self._store.read("list_tasks", env=self._engine.env)
        for row in rows:
            if row["id"] == id:
                return views.task_view(row, bool(self._engine.knows(id)))
        raise TaskNotFound.among(id, [row["id"] for row in rows])

    def health(self) -> dict[str, Any]:
        """Whether work can flow."""
        workers = self._store.read("list_workers")
        connected = self._connected(workers)
        neighbours = self._engine.neighbours
        states = self._store.read("view_active_states", env=self._engine.env)
        return {
            "status": "ok" if connected else "no_workers",
            "version": _version(),
            "env": self._engine.env,
            "pid": os.getpid(),
            "workers": connected,
            "runs": {row["state"]: row["n"] for row in states},
            "problems": self._problems(workers),
            "broker": None if neighbours is None else views.broker_view(neighbours.state()),
        }

    def _problems(self, workers: list[Any]) -> list[dict[str, Any]]:
        """What workers of the environment said of task files, each problem once."""
        problems: dict[str, Any] = {}
        for worker in [worker for worker in workers if worker["env"] == self._engine.env]:
            for problem in msgspec.json.decode(worker["problems"]):
                problems[f"{problem['file']}:{problem['line']}:{problem['message']}"] = problem
        return list(problems.values())

    def _connected(self, workers: list[Any]) -> int:
        """How many workers of the environment there are, of all engines of the store."""
        engine = self._engine
        here = {session.worker_id for session in engine.sessions.of_env(engine.env)}
        if engine.store.is_shared:
            since = engine.clock.now() - engine.lease_ms
            there = [row for row in workers if row["env"] == engine.env and row["parent"] is None]
            here |= {row["id"] for row in there if row["beat_at"] > since and row["state"] == "alive"}
        return len(here)

    def _run(self, run_id: str) -> Any:
        rows = self._store.read("find_run", id=run_id)
        if not rows or rows[0]["env"] != self._engine.env:
            raise NotFound(f"no run {run_id!r} in this project; list the latest with `detent runs list`")
        return rows[0]

    def _related(self, row: Any) -> dict[str, Any]:
        ids = {name: row[column] for name, column in _RELATIVES.items() if row[column] is not None}
        found: dict[str, Any] = {}
        if ids:
            rows = self._store.read("view_runs", ids=msgspec.json.encode(list(ids.values())).decode())
            found = {each["id"]: views.child_view(each) for each in rows}
        related: dict[str, Any] = {name: found.get(ids.get(name, "")) for name in _RELATIVES}
        replays = self._store.read("view_replays", id=row["id"], n=REPLAYS)
        return related | {"replays": [views.child_view(each) for each in replays]}

    def _children(self, run_id: str, most: int) -> tuple[list[Any], int]:
        children = self._store.read("view_children", id=run_id, after=0, n=most)
        if len(children) < most:
            return children, len(children)
        return children, sum(row["n"] for row in self._store.read("count_children", id=run_id))

    def _attempts_allowed(self, tasks: set[str]) -> dict[str, int]:
        if not tasks:
            return {}
        ids = msgspec.json.encode(sorted(tasks)).decode()
        rows = self._store.read("view_attempts_allowed", env=self._engine.env, ids=ids)
        return {row["id"]: row["n"] for row in rows}


@lru_cache(1_000)
def _names(function: Callable[..., Any]) -> frozenset[str]:
    """What an operation takes; kept, since the same one of another environment takes the same."""
    return frozenset(signature(function).parameters) - {"self"}


def _version() -> str:
    try:
        return version("detent")
    except PackageNotFoundError:
        return "unknown"
