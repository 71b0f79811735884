"""Why a run failed or is not running: what can be known of it, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import msgspec

from ..errors import NotFound
from . import views
from .blockers import blockers_of
from .engine import Engine
from .failures import error_report, similar_failures
from .next_steps import error_step, next_steps
from .reasons import why_not_running
from .slowest import slowest_spans
from .source_lines import SourceFiles
from .trace import trace_of
from .unserved import unserved
from .verdicts import verdict_on

__all__ = ["DiagnosisOperations"]

#: Spans that are named, attempts that are shown (the last ones), children that the trace is made of.
SLOWEST, ATTEMPTS, CHILDREN = 5, 20, 1_000


class Spans(Protocol):
    """Where the spans of runs are kept."""

    def spans(self, run_id: str) -> list[dict[str, Any]]: ...


class DiagnosisOperations:
    """The diagnosis of runs.

    Parameters:
      engine: whose runs. `telemetry`: their spans, where they are kept at all.
      sources: the project's files, where they are on this machine.
    """

    def __init__(self, engine: Engine, telemetry: Spans | None, sources: SourceFiles | None) -> None:
        self._engine = engine
        self._store = engine.store
        self._telemetry = telemetry
        self._sources = sources

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The operations by the names that transports use."""
        return {"runs.diagnosis": self.diagnose}

    def diagnose(self, *, id: str) -> dict[str, Any]:
        """Why a run failed or is not running: a verdict, the error with the user's frames and the source around them,
        what it waits for, where its time went, the same failure elsewhere, and what to do.

        Errors: `NotFound`.
        """
        row = self._run(id)
        now = self._engine.clock.now()
        events = self._store.read("list_events", run_id=id)
        waits = self._store.read("view_waits", run_id=id)
        worker = self._worker(row, events)
        reason = why_not_running(
            self._store,
            row,
            waits,
            knows=self._engine.knows,
            env_limit=self._engine.env_limit,
            unserved=partial(unserved, self._engine),
        )
        blockers = blockers_of(self._engine, row, waits, reason)
        text = row["error"]
        error = None if text is None else error_report(text, self._sources, _loaded_at(row, worker))
        allowed = self._allowed(row)
        verdict = verdict_on(
            row,
            error=error,
            reason=reason,
            blockers=blockers,
            allowed=allowed,
            worker=worker,
            now=now,
            lease_ms=self._engine.lease_ms,
        )
        is_failure = text is not None and row["state"] != "CANCELED"
        similar = similar_failures(self._store, self._engine.env, text, id, now) if is_failure else None
        steps = next_steps(row, verdict.code, blockers)
        if similar is not None and similar["total"]:
            steps.append(error_step(similar["fingerprint"]))
        return {
            "id": id,
            "task": row["task"],
            "status": views.status_of(row),
            "verdict": verdict.code,
            "summary": verdict.summary,
            "error": error,
            "attempts": [_short(attempt) for attempt in views.attempts_of(row, events)[-ATTEMPTS:]],
            "attempts_left": None if views.is_final(row) or allowed is None else max(0, allowed - row["attempt"]),
            "slowest": slowest_spans(self._trace(row, events), now, SLOWEST),
            "waiting_for": blockers,
            "similar": similar,
            "next": steps,
        }

    def _run(self, run_id: str) -> Any:
        rows = self._store.read("find_run", id=run_id)
        if not rows or rows[0]["env"] != self._engine.env:
            raise NotFound(f"no run {run_id!r} in this project; list the latest with `detent runs list`")
        return rows[0]

    def _worker(self, row: Any, events: Sequence[Any]) -> Any | None:
        """The worker that has the run, or had it last, as long as it is remembered."""
        last = next((event["worker_id"] for event in reversed(events) if event["worker_id"]), None)
        found = self._store.read("find_worker", id=row["worker_id"] or last)
        return found[0] if found else None

    def _allowed(self, row: Any) -> int | None:
        if row["max_attempts"] is not None:
            return int(row["max_attempts"])
        ids = msgspec.json.encode([row["task"]]).decode()
        rows = self._store.read("view_attempts_allowed", env=self._engine.env, ids=ids)
        return int(rows[0]["n"]) if rows else None

    def _trace(self, row: Any, events: Sequence[Any]) -> dict[str, Any]:
        children = self._store.read("view_children", id=row["id"], after=0, n=CHILDREN)
        spans = self._telemetry.spans(row["id"]) if self._telemetry is not None else []
        return trace_of(row, events, children, len(children), spans)


def _loaded_at(row: Any, worker: Any | None) -> int | None:
    """Since when the code that the run met has been in its process, as far as is known."""
    times = [row["attempt_started_at"] or row["claimed_at"] or row["finished_at"]]
    if worker is not None:
        times.append(round(worker["pid_started"] * 1000))
    return min((int(time) for time in times if time is not None), default=None)


def _short(attempt: dict[str, Any]) -> dict[str, Any]:
    error = attempt["error"]
    return attempt if error is None else attempt | {"error": error | {"traceback": ""}}
