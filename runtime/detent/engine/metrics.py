"""The figures of an environment for Prometheus, in a registry of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from ..store import SqliteStore
from .engine import Engine

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client.metrics_core import Metric

__all__ = ["MetricsOperations"]

#: Upper bounds of durations, in seconds; events that one look adds to the counters at most.
BUCKETS = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 3_600.0)
EVENTS = 50_000

_TOTALS = {
    "trigger": ("detent_runs_triggered", "Runs that were triggered."),
    "claim": ("detent_runs_claimed", "Times that a worker took a run: starts, retries and resumptions."),
    "retry": ("detent_runs_retried", "Attempts that failed and are followed by another."),
    "park": ("detent_runs_parked", "Times that a run began to wait and freed its slot."),
    "lose_lease": ("detent_leases_lost", "Runs that lost their worker."),
}


class Told(Protocol):
    """Where lines and spans are kept."""

    @property
    def path(self) -> Path | None: ...


class MetricsOperations:
    """The metrics of an environment. The counters begin at the first look after the start of the server."""

    def __init__(self, engine: Engine, telemetry: Told | None) -> None:
        self._engine = engine
        self._telemetry = telemetry
        self._lock = Lock()
        self._seen: int | None = None
        self._totals: dict[str, int] = dict.fromkeys(_TOTALS, 0)
        self._finished: dict[tuple[str, str], int] = {}
        self._durations: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

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
        """Add what happened since the last look; the first one only begins."""
        if self._seen is None:
            self._seen = int(self._engine.store.read("last_event_seq")[0]["seq"])
            return
        rows = self._engine.store.read("metrics_events", env=self._engine.env, after=self._seen, n=EVENTS)
        for row in rows:
            kind = row["kind"]
            if kind in self._totals:
                self._totals[kind] += 1
            elif kind == "finish":
                key = (row["state"], row["task"])
                self._finished[key] = self._finished.get(key, 0) + 1
                self._observe(row["task"], row["used_ms"] / 1000)
        if rows:
            self._seen = rows[-1]["seq"]

    def _observe(self, task: str, seconds: float) -> None:
        counts = self._durations.setdefault(task, [0] * (len(BUCKETS) + 1))
        place = next((place for place, most in enumerate(BUCKETS) if seconds <= most), len(BUCKETS))
        counts[place] += 1
        self._seconds[task] = self._seconds.get(task, 0.0) + seconds

    def _counters(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily

        for kind, (name, about) in _TOTALS.items():
            yield CounterMetricFamily(name, about, value=self._totals[kind])
        finished = CounterMetricFamily("detent_runs_finished", "Runs that ended.", labels=["status", "task"])
        for (status, task), n in sorted(self._finished.items()):
            finished.add_metric([status, task], n)
        yield finished

    def _histograms(self) -> Iterator[Metric]:
        from prometheus_client.core import HistogramMetricFamily

        family = HistogramMetricFamily(
            "detent_run_duration_seconds", "Executing time of runs that ended, without waits.", labels=["task"]
        )
        for task, counts in sorted(self._durations.items()):
            total = 0
            buckets: list[tuple[str, float]] = []
            for most, n in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                total += n
                buckets.append((most, total))
            family.add_metric([task], buckets, self._seconds[task])
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
        connected = len(engine.sessions.of_env(engine.env))
        yield GaugeMetricFamily("detent_workers", "Workers that are connected.", value=connected)
        yield GaugeMetricFamily("detent_worker_lag_seconds", "How late the latest event loop is.", value=lag / 1000)
        files = {
            "store": engine.store.path if isinstance(engine.store, SqliteStore) else None,
            "telemetry": None if self._telemetry is None else self._telemetry.path,
        }
        for name, file in files.items():
            if file is not None and file.exists():
                size = file.stat().st_size
                yield GaugeMetricFamily(f"detent_{name}_bytes", f"Size of the {name}'s file.", value=size)
        errors = CounterMetricFamily("detent_loop_errors", "Failures of the engine's loops.", labels=["loop"])
        for loop in engine.loops:
            errors.add_metric([loop.name], loop.errors)
        yield errors

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
