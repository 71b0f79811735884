"""Whether work flows in an environment, and whose a problem is; whether the server can take work at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..accounts.accounts import name_of
from ..errors import InvalidOptions
from ..model.duration import DAY, MINUTE, parse_duration
from .engine import Engine
from .report_flow import execution_of, flow_of
from .report_liveness import liveness_of, write_time
from .report_verdicts import FAILING, verdicts_on
from .views import iso

__all__ = ["ReportOperations"]

#: Tasks of queued runs that are looked at.
TASKS = 100
#: A store that was written so short ago is not written again to prove that it can be, in milliseconds.
FRESH_MS = 1_000


class ReportOperations:
    """The report on an environment, and readiness."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ready_at = -FRESH_MS

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The operations by the names that transports use."""
        return {"ready": self.ready, "report": self.report}

    def ready(self) -> dict[str, Any]:
        """Whether the server takes requests and its store can be written.

        Errors: `StoreError` when it cannot.
        """
        now = self._engine.clock.now()
        if not 0 <= now - self._ready_at < FRESH_MS:
            write_time(self._engine, now)
            self._ready_at = now
        return {"status": "ready"}

    def report(self, *, period: str = "1h") -> dict[str, Any]:
        """One answer to "is work flowing, and is a problem mine or the platform's?": what came and went in the period,
        how runs ended, who runs them, and verdicts with stable codes.

        `period`: a length of time back from now, 1m to 30d; it is compared with the one before it.

        Errors: `InvalidOptions`; `StoreError` when the store cannot be written.
        """
        length = parse_duration(period, "period")
        if not MINUTE <= length <= 30 * DAY:
            raise InvalidOptions(f"period must be from 1m to 30d, got {period!r}")
        now = self._engine.clock.now()
        since = int(now - length)
        flow = flow_of(self._engine, since, now)
        execution = execution_of(self._engine, since, now)
        liveness = liveness_of(self._engine, now)
        verdicts = verdicts_on(
            flow,
            execution,
            liveness,
            lease_ms=self._engine.lease_ms,
            unserved=self._unserved(liveness),
            environment=self._environment(),
        )
        return {
            "status": verdicts[0]["level"] if verdicts else "ok",
            "summary": _summary(flow, verdicts),
            "env": self._engine.env,
            "at": iso(now),
            "period_ms": int(length),
            "verdicts": verdicts,
            "flow": flow,
            "execution": execution,
            "liveness": liveness,
        }

    def _environment(self) -> str:
        rows = self._engine.store.read("find_environment", id=self._engine.env)
        return name_of(rows[0]) if rows else self._engine.env

    def _unserved(self, liveness: Mapping[str, Any]) -> dict[str, int]:
        """Queued runs by tasks that no connected worker has; none while nobody is connected."""
        if not liveness["connected"]:
            return {}
        rows = self._engine.store.read("report_queued_tasks", env=self._engine.env, n=TASKS)
        return {row["task"]: row["n"] for row in rows if self._engine.knows(row["task"]) is False}


def _summary(flow: Mapping[str, Any], verdicts: Sequence[Mapping[str, Any]]) -> str:
    if not verdicts:
        return (
            f"work is flowing: {flow['triggered']:,} triggered and {flow['finished']:,} ended, "
            f"now {flow['queued']:,} queued and {flow['running']:,} running"
        )
    worst = [verdict for verdict in verdicts if verdict["level"] == FAILING] or verdicts
    whose = sorted({verdict["whose"] for verdict in worst}, reverse=True)
    return f"{worst[0]['message']} (the problem is {' and '.join(whose)})"
