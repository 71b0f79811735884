"""Queries over HTTP and by the clients."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from tests.engine.conftest import DIALECTS
from tests.server.project import KEY, Project

from detent.client.async_detent import AsyncDetent
from detent.client.detent import Detent
from detent.engine.engine import Engine
from detent.engine.query_operations import AT_ONCE, QueryOperations
from detent.errors import InvalidOptions, LimitExceeded
from detent.model.ids import new_id
from detent.model.protocol import LogLine, NewRun
from detent.server.http import HttpServer

PER_TASK = "SELECT r.task, count(*) AS n FROM runs r JOIN logs l ON l.run_id = r.id GROUP BY r.task"


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def http(server: HttpServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client:
        yield client


@pytest.fixture(autouse=True)
def run(project: Project) -> str:
    """One run that failed in its second attempt and wrote two lines."""
    run_id = new_id("run")
    worker = project.worker()
    project.operations.trigger([NewRun(run_id, "plain", "null")])
    [grant] = worker.claim()
    now = project.engine.clock.now()
    worker.emit(grant, logs=[LogLine(now, "info", text, None, None, "logger") for text in ("a", "b")])
    worker.finish(grant, "DELAYED", retry_at=now, error='{"type":"E","message":"once"}')
    project.engine.sweep()
    [grant] = worker.claim()
    worker.finish(grant, "FAILED", error='{"type":"F","message":"twice"}')
    return run_id


def test_a_question_is_answered_with_columns_and_rows(http: httpx.Client, run: str) -> None:
    answer = http.post("/api/v1/query", json={"sql": PER_TASK}).json()
    assert (answer["columns"], answer["rows"], answer["is_cut"]) == (["task", "n"], [["plain", 2]], False)
    sql = "SELECT number, outcome, error_type, error_message FROM attempts WHERE run_id = :run ORDER BY number"
    answer = http.post("/api/v1/query", json={"sql": sql, "parameters": {"run": run}}).json()
    assert answer["rows"] == [[1, "RETRY", "E", "once"], [2, "FAILED", "F", "twice"]]
    views = http.get("/api/v1/query/schema").json()["views"]
    assert [view["name"] for view in views] == ["runs", "attempts", "spans", "logs"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"sql": "SELECT * FROM workers"}, 400, "no view named 'workers'"),
        ({"sql": "DROP TABLE runs"}, 400, "a query is one SELECT"),
        ({"sql": "SELECT 1", "parameters": "x"}, 400, "parameters must be"),
        ({"sql": "SELECT 1", "limit": 10_001}, 400, "limit must be"),
        ({"sql": 1}, 400, "sql must be a text"),
        ({}, 400, "sql is missing"),
        ({"sql": "SELECT 1 -- " + "x" * 30_000}, 413, "the limit is 20,000"),
    ],
)
def test_what_cannot_be_asked_is_refused(http: httpx.Client, body: dict[str, object], status: int, said: str) -> None:
    answer = http.post("/api/v1/query", json=body)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text


def test_both_clients_ask(project: Project) -> None:
    client = Detent(project.transport)
    answered = client.query("SELECT status FROM runs WHERE task = ?", ["plain"])
    assert answered.dicts() == [{"status": "FAILED"}]
    assert client.query("SELECT value FROM json_each('[1,2,3]')", limit=2).is_cut
    assert "attempts" in [view.name for view in client.query_schema().views]

    async def awaited() -> list[object]:
        asked = AsyncDetent(project.transport)
        return [(await asked.query("SELECT count(*) FROM runs")).rows, len((await asked.query_schema()).views)]

    assert asyncio.run(awaited()) == [[[1]], 4]
    with pytest.raises(InvalidOptions, match="did you mean 'runs'"):
        client.query("SELECT * FROM rnus")


def test_another_environment_sees_nothing(project: Project) -> None:
    other = QueryOperations(Engine(project.store, env="prod"), project.telemetry)
    for view in ("runs", "attempts", "logs", "spans"):
        assert other.ask(sql=f"SELECT * FROM {view}")["rows"] == []


def test_only_so_many_run_at_once(project: Project) -> None:
    queries = QueryOperations(project.engine, project.telemetry)
    for _ in range(AT_ONCE):
        assert queries._room.acquire(blocking=False)
    with pytest.raises(LimitExceeded, match="3 queries of this environment run already"):
        queries.ask(sql="SELECT 1")
    queries._room.release()
    for _ in range(2):
        assert queries.ask(sql="SELECT 1")["rows"] == [[1]]


def test_a_secret_cannot_be_taken_apart_by_a_query_and_is_in_no_other_answer(project: Project) -> None:
    # Given a secret of the environment in an error and in a line
    canary = "canary-0123456789"
    project.operations.call("envvars.create", name="API_KEY", value=canary)
    worker = project.worker()
    run_id = new_id("run")
    project.operations.trigger([NewRun(run_id, "plain", "null")])
    [grant] = worker.claim()
    line = LogLine(project.engine.clock.now(), "info", f"x {canary}", f'{{"k":"{canary}"}}', None, "logger")
    worker.emit(grant, logs=[line])
    worker.finish(grant, "FAILED", error=f'{{"type":"E","message":"y {canary}","traceback":"z {canary}"}}')
    # When it is asked for whole and in parts
    parts = [
        project.operations.call("query", sql=sql)["rows"]
        for sql in (
            "SELECT substr(message, 3, 9), substr(attributes, 7, 9) FROM logs",
            "SELECT substr(error_message, 3, 9) FROM runs UNION ALL SELECT substr(error_message, 3, 9) FROM attempts",
            "SELECT count(*) FROM logs WHERE message LIKE '%canary%' OR attributes LIKE '%canary%'",
        )
    ]
    answers = [
        project.operations.call("runs.diagnosis", id=run_id),
        project.operations.call("logs.search"),
        project.operations.call("report"),
    ]
    # Then nothing of it is there
    assert "canary" not in repr(parts)
    assert parts[2] == [[0]]
    assert "canary" not in repr(answers)
    assert "[redacted]" in repr(answers[0]["error"]["message"])
