"""Reports, readiness and metrics over a real engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.databases import damage
from tests.engine.conftest import DIALECTS
from tests.server.project import KEY, Project

from detent.client.async_detent import AsyncDetent
from detent.client.detent import Detent
from detent.engine.engine import Engine
from detent.engine.metrics import MetricsOperations
from detent.engine.report_operations import ReportOperations
from detent.engine.report_verdicts import LITTLE, verdicts_on
from detent.errors import InvalidOptions
from detent.model.ids import new_id
from detent.model.protocol import Beat, NewRun
from detent.model.report_views import Report
from detent.server.http import HttpServer


@pytest.fixture
def http(server: HttpServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client:
        yield client


def start(project: Project, task: str = "plain", **options: Any) -> str:
    run_id = new_id("run")
    project.operations.trigger([NewRun(run_id, task, options.pop("payload", "null"), **options)])
    return run_id


def end(project: Project, status: str = "COMPLETED", message: str | None = None, times: int = 1) -> None:
    worker = project.worker()
    for _ in range(times):
        start(project)
        [grant] = worker.claim(1)
        error = None if message is None else json.dumps({"type": "E", "message": message})
        worker.finish(grant, status, error=error)


def codes(found: Report) -> list[tuple[str, str, str]]:
    return [(verdict.code, verdict.level, verdict.whose) for verdict in found.verdicts]


@pytest.fixture
def client(project: Project) -> Detent:
    return Detent(project.transport)


@pytest.fixture
def well(project: Project) -> None:
    """No problem but those that a test makes: the manifest of the tests has a file that cannot be used."""
    project.worker()
    damage(project.database, "UPDATE workers SET problems = '[]'")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_where_work_flows_all_is_well_and_the_figures_say_so(project: Project, client: Detent) -> None:
    end(project, times=4)
    end(project, "FAILED", "no 1")
    end(project, "FAILED", "no 2")
    damage(project.database, "UPDATE workers SET problems = '[]'")
    found = client.report("1h")
    assert (found.status, found.verdicts, found.env, found.period_ms) == ("ok", [], "dev", 3_600_000)
    assert found.summary == "work is flowing: 6 triggered and 6 ended, now 0 queued and 0 running"
    assert (found.flow.triggered, found.flow.started, found.flow.finished, found.flow.oldest) == (6, 6, 6, None)
    assert found.execution.by_status == {"COMPLETED": 4, "FAILED": 2}
    assert (found.execution.failure_rate, found.execution.failure_rate_before) == (0.3333, None)
    [error] = found.execution.top_errors
    assert (error.count, error.type, error.message, error.tasks) == (2, "E", "no 2", ["plain"])
    [task] = found.execution.tasks
    assert (task.task, task.finished, task.failed) == ("plain", 6, 2)
    assert found.liveness.connected == 1
    assert [worker.id for worker in found.liveness.workers] == ["worker_1"]
    assert found.liveness.store_ms is not None
    # The disk of a database server is its own affair.
    assert (found.liveness.disk_free_bytes is not None) == (project.store.dialect == "sqlite")
    assert {loop.alive for loop in found.liveness.loops} == {None}


def test_without_a_worker_queued_runs_are_a_problem_of_yours(project: Project, client: Detent) -> None:
    assert client.report().status == "ok"
    run_id = start(project)
    found = client.report()
    assert codes(found) == [("no_worker", "failing", "yours")]
    assert found.summary == "no worker is connected, with 1 run queued (the problem is yours)"
    assert found.flow.queued == 1
    assert run_id.startswith("run_")


@pytest.mark.usefixtures("well")
def test_a_task_that_nobody_has_and_a_paused_queue_are_named(project: Project, client: Detent) -> None:
    project.engine.pause_queue("task/plain")
    start(project)
    found = client.report()
    assert codes(found) == [("queue_paused", "degraded", "yours")]
    assert found.flow.oldest is not None
    assert found.flow.oldest.reason == "queue 'task/plain' is paused; position 1"
    assert found.verdicts[0].next == ["detent queues resume task/plain"]
    damage(project.database, "UPDATE runs SET task = 'gone'")
    assert ("unknown_task", "failing", "yours") in codes(client.report())


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.usefixtures("well")
def test_failures_count_against_the_period_before(project: Project, client: Detent) -> None:
    end(project, "FAILED", "broken", times=6)
    end(project, times=6)
    damage(project.database, "UPDATE workers SET problems = '[]'")
    assert codes(client.report()) == [("failure_rate", "failing", "yours")]
    # Given that it was as bad in the period before, though not as bad as to fail
    end(project, times=12)
    damage(project.database, "UPDATE workers SET problems = '[]'")
    assert codes(client.report()) == [("failure_rate", "degraded", "yours")]
    damage(
        project.database,
        "INSERT INTO runs (id, env, task, queue, state, order_at, created_at, finished_at) "
        "SELECT 'x' || id, env, task, queue, state, 1, 1, finished_at - 3600000 FROM runs",
    )
    assert codes(client.report()) == []


@pytest.mark.usefixtures("well")
def test_a_worker_that_is_blocked_and_files_that_cannot_be_used_are_yours(project: Project, client: Detent) -> None:
    worker = project.worker()
    worker.say(Beat(lag_ms=4_000, blocked_by="tasks/shop.py:7 in charge"))
    found = client.report()
    assert codes(found) == [("worker_blocked", "degraded", "yours"), ("task_files", "degraded", "yours")]
    assert "tasks/shop.py:7 in charge" in found.verdicts[0].message


def _parts(**changed: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    flow = {
        "queued": 5,
        "queues": [{"name": "q", "limit": 2, "paused": False, "queued": 5, "running": 0, "oldest_ms": 1}],
    }
    execution: dict[str, Any] = {
        "by_status": {"COMPLETED": 100}, "failure_rate": 0.0, "failure_rate_before": 0.0, "timeouts": 0, "crashes": 0,
    }  # fmt: skip
    loop: dict[str, Any] = {"name": "timers", "alive": True, "errors": 0}
    worker: dict[str, Any] = {"id": "w", "host": "h", "beat_ms": 10, "lag_ms": 0, "blocked_by": None}
    liveness: dict[str, Any] = {
        "connected": 1, "workers": [worker], "loops": [loop],
        "store_ms": 1.0, "disk_free_bytes": 10 * LITTLE, "problems": [],
    }  # fmt: skip
    for name, value in changed.items():
        part = next(
            part for part in (flow["queues"][0], worker, liveness["loops"][0], execution, liveness) if name in part
        )
        part[name] = value
    return flow, execution, liveness


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"running": 2, "oldest_ms": 61_000}, [("queue_at_limit", "degraded", "yours")]),
        ({"running": 2, "oldest_ms": 59_000}, []),
        ({"running": 1, "oldest_ms": 61_000}, [("workers_busy", "degraded", "yours")]),
        ({"running": 0, "oldest_ms": 300_000}, [("queue_stuck", "failing", "the platform's")]),
        ({"by_status": {"SYSTEM_FAILURE": 1}}, [("system_failures", "failing", "the platform's")]),
        ({"crashes": 2}, [("crashes", "degraded", "yours")]),
        ({"timeouts": 10}, [("timeouts", "degraded", "yours")]),
        ({"failure_rate": 0.2, "failure_rate_before": 0.15}, []),
        ({"failure_rate": 0.2, "failure_rate_before": 0.1}, [("failure_rate", "degraded", "yours")]),
        ({"beat_ms": 20_000}, [("worker_silent", "degraded", "the platform's")]),
        ({"lag_ms": 1_001}, [("worker_late", "degraded", "the platform's")]),
        ({"alive": False}, [("loop_ended", "failing", "the platform's")]),
        ({"errors": 1}, [("loop_errors", "degraded", "the platform's")]),
        ({"store_ms": 251.0}, [("store_slow", "degraded", "the platform's")]),
        ({"store_ms": 2_001.0}, [("store_slow", "failing", "the platform's")]),
        ({"disk_free_bytes": LITTLE - 1}, [("disk_full", "degraded", "the platform's")]),
        ({"disk_free_bytes": 1}, [("disk_full", "failing", "the platform's")]),
        (
            {"crashes": 1, "disk_free_bytes": 1},
            [("disk_full", "failing", "the platform's"), ("crashes", "degraded", "yours")],
        ),
    ],
)
def test_each_verdict_has_its_figure(changed: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    flow, execution, liveness = _parts(**changed)
    found = verdicts_on(flow, execution, liveness, lease_ms=45_000, unserved={})
    assert [(verdict["code"], verdict["level"], verdict["whose"]) for verdict in found] == expected
    assert found == verdicts_on(flow, execution, liveness, lease_ms=45_000, unserved={})


def test_a_report_is_of_one_environment(project: Project) -> None:
    end(project, "FAILED", "mine")
    start(project)
    other = ReportOperations(Engine(project.store, env="prod")).report()
    assert (other["status"], other["flow"]["triggered"], other["flow"]["queues"]) == ("ok", 0, [])
    assert (other["execution"]["by_status"], other["execution"]["top_errors"]) == ({}, [])
    assert other["liveness"]["workers"] == []


@pytest.mark.parametrize("period", ["59s", "31d", "soon", ""])
def test_a_period_that_cannot_be_used_is_refused(project: Project, period: str) -> None:
    with pytest.raises(InvalidOptions, match="period"):
        project.operations.call("report", period=period)


def test_the_async_client_asks_too(project: Project) -> None:
    found = asyncio.run(AsyncDetent(project.transport).report("1d"))
    assert (found.status, found.period_ms) == ("ok", 86_400_000)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_readiness_needs_no_key_and_a_store_that_can_be_written(project: Project, server: HttpServer) -> None:
    answer = httpx.get(f"{server.url}/ready", trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    # Given a store that can be read and not written
    db = project.store._session._db
    is_file = project.store.dialect == "sqlite"
    db.execute("PRAGMA query_only = ON" if is_file else "SET default_transaction_read_only = on")
    ready = project.operations.methods["ready"].__self__  # type: ignore[attr-defined]
    ready._ready_at = -(10**6)
    refused = httpx.get(f"{server.url}/ready", trust_env=False)
    db.execute("PRAGMA query_only = OFF" if is_file else "RESET default_transaction_read_only")
    assert (refused.status_code, refused.json()["code"]) == (503, "store_error")


def figures(http: httpx.Client) -> dict[tuple[str, str], float]:
    answer = http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[sample.name, ",".join(sorted(sample.labels.values()))] = sample.value
    return found


@pytest.mark.parametrize("dialect", DIALECTS)
def test_metrics_count_what_happens_between_two_looks(project: Project, http: httpx.Client) -> None:
    end(project)
    first = figures(http)
    assert (first["detent_runs_triggered_total", ""], first["detent_workers", ""]) == (0, 1)
    end(project, times=3)
    end(project, "FAILED", "x")
    project.engine.pause_queue("typed")
    start(project, "typed", payload='{"title": "a"}')
    now = figures(http)
    assert (now["detent_runs_triggered_total", ""], now["detent_runs_claimed_total", ""]) == (5, 4)
    finished = [now["detent_runs_finished_total", key] for key in ("COMPLETED,plain", "FAILED,plain")]
    assert finished == [3, 1]
    duration = "detent_run_duration_seconds"
    assert (now[f"{duration}_count", "plain"], now[f"{duration}_bucket", "+Inf,plain"]) == (4, 4)
    assert (now["detent_queue_queued", "typed"], now["detent_queue_limit", "typed"]) == (1, 1)
    assert (now["detent_queue_paused", "typed"], now["detent_runs", "QUEUED"]) == (1, 1)
    assert now["detent_queue_oldest_seconds", "typed"] >= 0
    assert now["detent_store_bytes", ""] > 0
    assert ("detent_queue_limit", "task/plain") not in now
    again = figures(http)
    assert again["detent_runs_finished_total", "COMPLETED,plain"] == 3


@pytest.mark.parametrize("dialect", ["postgresql"])
def test_servers_that_share_a_database_count_each_thing_once_and_tell_the_same(project: Project) -> None:
    # Given two servers, of which the second starts later
    end(project)
    one = MetricsOperations(project.engine, project.telemetry)
    assert "detent_runs_triggered_total 0.0" in one.metrics()
    end(project, times=2)
    other = MetricsOperations(Engine(project.store), project.telemetry)
    # When they are looked at in turn while work goes on
    told = [other.metrics(), one.metrics()]
    end(project, "FAILED", "x")
    told += [one.metrics(), other.metrics()]
    # Then they say the same, each counting on where the other stopped, and know of the same workers
    counts = [[line for line in text.splitlines() if "_total" in line or "workers" in line] for text in told]
    assert counts[0] == counts[1] != counts[2] == counts[3]
    assert "detent_runs_triggered_total 3.0" in counts[3]
    assert "detent_workers 1.0" in counts[3]


def test_metrics_need_a_key(server: HttpServer) -> None:
    assert httpx.get(f"{server.url}/metrics", trust_env=False).status_code == 401
