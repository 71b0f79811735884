"""The HTTP API as a client without our code meets it."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator

import httpx
import pytest
from tests.server.project import KEY, Project

from detent.errors import ConfigError
from detent.server.http import HttpServer


@pytest.fixture
def http(server: HttpServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client:
        yield client


def test_a_run_is_triggered_with_a_plain_json_body_and_found_again(project: Project, http: httpx.Client) -> None:
    project.worker()

    answer = http.post(
        "/api/v1/tasks/typed/trigger",
        json={"payload": {"title": "x"}, "options": {"tags": ["a"], "priority": 3, "metadata": {"k": 1}}},
    )

    assert answer.status_code == 202
    run = http.get(f"/api/v1/runs/{answer.json()['id']}").json()
    assert (run["status"], run["payload"], run["tags"]) == ("QUEUED", {"title": "x"}, ["a"])
    assert (run["metadata"], run["priority"], run["max_attempts"]) == ({"k": 1}, 3, 5)
    assert run["created_at"].endswith("Z")


def test_a_batch_of_different_tasks_is_made_as_one(project: Project, http: httpx.Client) -> None:
    project.worker()

    answer = http.post(
        "/api/v1/tasks/batch",
        json={"items": [{"task": "plain", "payload": 1}, {"task": "with/slash", "options": {"delay": "1h"}}]},
    )

    made = answer.json()
    listed = http.get("/api/v1/runs", params={"batch": made["id"]}).json()["items"]
    assert [run["id"] for run in listed] == [run["id"] for run in reversed(made["runs"])]
    assert [run["status"] for run in listed] == ["DELAYED", "QUEUED"]


def test_a_task_id_with_a_slash_is_reached(project: Project, http: httpx.Client) -> None:
    project.worker()

    assert http.get("/api/v1/tasks/with%2Fslash").json()["id"] == "with/slash"
    assert http.post("/api/v1/tasks/with%2Fslash/trigger").status_code == 202


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "said"),
    [
        ("GET", "/api/v1/runs/run_nope", None, 404, "not_found", "detent runs list"),
        ("GET", "/api/v1/tasks/plan", None, 404, "task_not_found", "did you mean 'plain'"),
        ("POST", "/api/v1/tasks/plan/trigger", b"{}", 404, "task_not_found", "did you mean 'plain'"),
        ("GET", "/api/v1/nope", None, 404, "no_such_route", "/api/v1/nope"),
        ("DELETE", "/api/v1/runs", None, 405, "method_not_allowed", "GET"),
        ("GET", "/api/v1/runs?colour=red", None, 400, "invalid_options", "'colour'"),
        ("GET", "/api/v1/runs?status=FAILD", None, 400, "invalid_options", "did you mean 'FAILED'"),
        ("GET", "/api/v1/runs?limit=1000", None, 400, "invalid_options", "1 to 100"),
        ("GET", "/api/v1/runs?cursor=x", None, 400, "invalid_options", "cursor"),
        ("GET", "/api/v1/runs?since=yesterday", None, 400, "invalid_options", "2026-11-22T09:00:00Z"),
        ("POST", "/api/v1/tasks/plain/trigger", b"{", 400, "invalid_options", "truncated"),
        ("POST", "/api/v1/tasks/plain/trigger", b'{"payload": NaN}', 400, "invalid_options", "malformed"),
        ("POST", "/api/v1/tasks/plain/trigger", b'{"paylod": 1}', 400, "invalid_options", "paylod"),
        (
            "POST",
            "/api/v1/tasks/plain/trigger",
            b'{"options": {"delai": 1}}',
            400,
            "invalid_options",
            "'delay'",
        ),
        ("POST", "/api/v1/tasks/plain/trigger", b'{"payload": "\xff"}', 422, "invalid_payload", "UTF-8"),
        (
            "POST",
            "/api/v1/tasks/typed/trigger",
            b'{"payload": {}}',
            422,
            "invalid_payload",
            "payload.title is missing",
        ),
        (
            "POST",
            "/api/v1/tasks/typed/trigger",
            b'{"payload": {"title": 5, "n": "x"}}',
            422,
            "invalid_payload",
            'payload.n: got "x", expected integer or null; payload.title: got 5, expected string',
        ),
    ],
)
def test_a_refusal_says_what_came_and_what_was_expected(
    project: Project,
    http: httpx.Client,
    *,
    method: str,
    path: str,
    body: bytes | None,
    status: int,
    code: str,
    said: str,
) -> None:
    project.worker()

    answer = http.request(method, path, content=body)

    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert said in problem["detail"]


def test_a_payload_of_the_largest_size_is_taken_and_moved_out_of_the_store(
    project: Project, http: httpx.Client
) -> None:
    project.worker()
    text = '"' + "x" * (3 * 1024 * 1024 - 2) + '"'

    answer = http.post("/api/v1/tasks/plain/trigger", content=f'{{"payload": {text}}}')

    run_id = answer.json()["id"]
    row = project.store.read("find_run", id=run_id)[0]
    assert row["payload"] is None
    assert project.objects.get(row["payload_ref"]) == text.encode()
    assert http.get(f"/api/v1/runs/{run_id}").json()["payload"] == text[1:-1]


@pytest.mark.parametrize("extra", [1, 1024 * 1024])
def test_a_payload_or_body_over_the_limit_is_refused_with_the_limit(
    project: Project, http: httpx.Client, extra: int
) -> None:
    project.worker()
    text = '"' + "x" * (3 * 1024 * 1024 - 2 + extra) + '"'

    answer = http.post("/api/v1/tasks/plain/trigger", content=f'{{"payload": {text}}}')

    assert (answer.status_code, answer.json()["code"]) == (413, "limit_exceeded")
    assert "the limit" in answer.json()["detail"]


def test_a_body_that_grows_past_the_limit_without_telling_its_length_is_refused(http: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(5):
            yield b" " * 1024 * 1024

    assert http.post("/api/v1/tasks/plain/trigger", content=chunks()).status_code == 413


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", f"Basic {KEY}", f"Bearer {KEY}x"])
def test_nobody_comes_in_without_the_key(server: HttpServer, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}

    answer = httpx.get(f"{server.url}/health", headers=headers, trust_env=False)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"host": "localhost:1"}, True),
        ({"host": "LOCALHOST"}, True),
        ({"host": "[::1]:8377"}, True),
        ({"host": "127.0.0.1"}, True),
        ({"host": "evil.example"}, False),
        ({"host": "127.0.0.1.evil.example"}, False),
        ({"host": "evil.example@127.0.0.1"}, False),
        ({"host": "[::1"}, False),
        ({"host": "::1"}, False),
        ({"host": ""}, False),
        ({"origin": "http://localhost:3000"}, True),
        ({"origin": "http://[::1]:3000"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "http://localhost.evil.example"}, False),
        ({"origin": "null"}, False),
    ],
)
def test_only_requests_for_this_host_and_from_its_own_pages_are_taken(
    http: httpx.Client, headers: dict[str, str], taken: bool
) -> None:
    assert http.get("/health", headers=headers).status_code == (200 if taken else 403)


def test_a_name_that_the_server_was_given_may_be_used(project: Project) -> None:
    server = project.serve("localhost")
    try:
        assert server.url.startswith("http://localhost:")
        headers = {"authorization": f"Bearer {KEY}"}
        assert httpx.get(f"{server.url}/health", headers=headers, trust_env=False).status_code == 200
    finally:
        server.stop()


def test_a_busy_port_is_reported_with_the_way_out(project: Project, server: HttpServer) -> None:
    port = int(server.url.rpartition(":")[2])

    with pytest.raises(ConfigError, match=rf"port {port} is in use .*--port 0"):
        project.serve(port=port)


def test_a_server_stops_quickly_though_connections_are_open(project: Project) -> None:
    server = project.serve()
    with httpx.Client(headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client:
        client.get(f"{server.url}/health")

        server.stop()

        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))


def test_health_tells_workers_runs_and_task_files_that_cannot_be_used(project: Project, http: httpx.Client) -> None:
    assert http.get("/health").json()["status"] == "no_workers"
    project.worker()
    http.post("/api/v1/tasks/plain/trigger")

    health = http.get("/health").json()

    assert (health["status"], health["workers"], health["runs"]) == ("ok", 1, {"QUEUED": 1})
    assert health["problems"][0]["file"] == "tasks/bad.py"


def test_an_error_inside_the_server_is_told_without_its_insides(
    project: Project, http: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    project.worker()
    with sqlite3.connect(project.store.path) as database:
        database.execute("UPDATE tasks SET spec = '{'")
    database.close()

    answer = http.get("/api/v1/tasks")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "DecodeError" not in answer.text
    assert "DecodeError" in caplog.text
