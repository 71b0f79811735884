"""The figures of an environment for Prometheus, in a registry of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import StoreError
from ..store import SqliteStore
from .engine import Engine
from .metric_figures import BUCKETS, Figures

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client.metrics_core import Metric

__all__ = ["MetricsOperations"]

#: Events that one look adds to the counters at most; how often it is tried to be the one who adds them.
EVENTS, TRIES = 50_000, 3

_TOTALS = {
    "trigger": ("detent_runs_triggered", "Runs that were triggered."),
    "claim": ("detent_runs_claimed", "Times that a worker took a run: starts, retries and resumptions."),
    "retry": ("detent_runs_retried", "Attempts that failed and are followed by another."),
    "park": ("detent_runs_parked", "Times that a run began to wait and freed its slot."),
    "lose_lease": ("detent_leases_lost", "Runs that lost their worker."),
}

#: Bytes of the tables, in PostgreSQL.
_SIZES = """
SELECT CASE WHEN c.relname IN ('log_lines', 'spans', 'telemetry_counts') THEN 'telemetry' ELSE 'store' END AS name,
       CAST(sum(pg_total_relation_size(c.oid)) AS BIGINT) AS bytes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'detent' AND c.relkind = 'r' GROUP BY 1 ORDER BY 1"""


class Told(Protocol):
    """Where lines and spans are kept."""

    @property
    def path(self) -> Path | None: ...


class MetricsOperations:
    """The metrics of an environment. The counters are kept in the store, from the first look on: they go on after a
    restart, and all servers that share a store tell the same."""

    def __init__(self, engine: Engine, telemetry: Told | None) -> None:
        self._engine = engine
        self._telemetry = telemetry
        self._lock = Lock()
        self._figures = Figures()

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The operations by the names that transports use."""
        return {"metrics": self.metrics}

    def metrics(self) -> str:
        """The figures of the environment in the text format of Prometheus."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry).decode()

    def collect(self) -> Iterator[Metric]:
        """The figures of now, as a registry asks for them."""
        with self._lock:
            self._count()
            yield from self._counters()
            yield from self._histograms()
        yield from self._gauges()

    def _count(self) -> None:
        """Add what happened since the last look, of whichever server; the very first one only begins."""
        store, env = self._engine.store, self._engine.env
        for _ in range(TRIES):
            kept = next(iter(store.read("get_metrics", env=env)), None)
            self._figures = Figures() if kept is None else Figures.of_text(kept["figures"])
            before = -1 if kept is None else kept["seen"]
            seen = self._last() if kept is None else self._add(before)
            if seen == before or self._put(before, seen):
                return

    def _put(self, before: int, seen: int) -> bool:
        values = {"env": self._engine.env, "seen": seen, "before": before, "figures": self._figures.as_text()}
        try:
            return self._engine.store.write(lambda tx: tx.run("put_metrics", **values)) > 0
        except StoreError:
            # What was counted can be told all the same; the next look counts it again.
            return True

    def _last(self) -> int:
        return int(self._engine.store.read("last_event_seq")[0]["seq"])

    def _add(self, seen: int) -> int:
        rows = self._engine.store.read("metrics_events", env=self._engine.env, after=seen, n=EVENTS)
        self._figures.add(rows)
        return int(rows[-1]["seq"]) if rows else seen

    def _counters(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily

        for kind, (name, about) in _TOTALS.items():
            yield CounterMetricFamily(name, about, value=self._figures.totals[kind])
        finished = CounterMetricFamily("detent_runs_finished", "Runs that ended.", labels=["status", "task"])
        for status, tasks in sorted(self._figures.finished.items()):
            for task, n in sorted(tasks.items()):
                finished.add_metric([status, task], n)
        yield finished

    def _histograms(self) -> Iterator[Metric]:
        from prometheus_client.core import HistogramMetricFamily

        family = HistogramMetricFamily(
            "detent_run_duration_seconds", "Executing time of runs that ended, without waits.", labels=["task"]
        )
        for task, counts in sorted(self._figures.durations.items()):
            total = 0
            buckets: list[tuple[str, float]] = []
            for most, n in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                total += n
                buckets.append((most, total))
            family.add_metric([task], buckets, self._figures.seconds[task])
        yield family

    def _gauges(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        engine = self._engine
        now = engine.clock.now()
        runs = GaugeMetricFamily("detent_runs", "Runs that have not ended.", labels=["status"])
        states = {row["state"]: row["n"] for row in engine.store.read("view_active_states", env=engine.env)}
        for state in ("PENDING_VERSION", "DELAYED", "QUEUED", "EXECUTING", "WAITING"):
            runs.add_metric([state], states.get(state, 0))
        yield runs
        yield from self._queues(now)
        workers = [row for row in engine.store.read("list_workers") if row["env"] == engine.env]
        lag = max((row["lag_ms"] for row in workers), default=0)
        # Of a shared store, those of the other servers too.
        is_shared = engine.store.is_shared
        connected = (
            sum(row["parent"] is None for row in workers) if is_shared else len(engine.sessions.of_env(engine.env))
        )
        yield GaugeMetricFamily("detent_workers", "Workers that are connected.", value=connected)
        yield GaugeMetricFamily("detent_worker_lag_seconds", "How late the latest event loop is.", value=lag / 1000)
        for name, size in self._sizes():
            yield GaugeMetricFamily(f"detent_{name}_bytes", f"Size of the {name}.", value=size)
        errors = CounterMetricFamily("detent_loop_errors", "Failures of the engine's loops.", labels=["loop"])
        for loop in engine.loops:
            errors.add_metric([loop.name], loop.errors)
        yield errors

    def _sizes(self) -> Iterator[tuple[str, int]]:
        store = self._engine.store
        if not isinstance(store, SqliteStore):
            yield from ((row["name"], row["bytes"]) for row in store.read_sql(_SIZES, {}))
            return
        telemetry = None if self._telemetry is None else self._telemetry.path
        for name, file in (("store", store.path), ("telemetry", telemetry)):
            if file is not None and file.exists():
                yield name, file.stat().st_size

    def _queues(self, now: int) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        families = {
            name: GaugeMetricFamily(f"detent_queue_{name}", about, labels=["queue"])
            for name, about in (
                ("queued", "Runs that are queued."),
                ("running", "Runs that execute."),
                ("limit", "Most runs at once; absent without a limit."),
                ("paused", "1 while the queue is paused."),
                ("oldest_seconds", "How long the oldest queued run has waited."),
            )
        }
        for row in self._engine.store.read("report_queues", env=self._engine.env):
            oldest = 0 if row["oldest"] is None else max(0, now - row["oldest"]) / 1000
            values = {
                "queued": row["queued"],
                "running": row["running"],
                "limit": row["limit_n"],
                "paused": row["paused"],
                "oldest_seconds": oldest,
            }
            for name, value in values.items():
                if value is not None:
                    families[name].add_metric([row["name"]], value)
        yield from families.values()
