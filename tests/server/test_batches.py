"""Batches over HTTP, also as JSON lines that are read as they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.server.project import KEY, Project

from detent.client import AsyncDetent, Detent
from detent.model.ids import new_id
from detent.server.http import HttpServer

LINES = {"content-type": "application/x-ndjson; charset=utf-8", "authorization": f"Bearer {KEY}"}


@pytest.fixture
def http(project: Project, server: HttpServer) -> Iterator[httpx.Client]:
    project.worker()
    with httpx.Client(base_url=server.url, headers=LINES, trust_env=False) as http:
        yield http


def line(n: Any, task: str = "plain") -> bytes:
    return json.dumps({"task": task, "payload": n}).encode()


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def test_a_batch_of_lines_is_read_whatever_the_pieces_it_comes_in(http: httpx.Client, project: Project) -> None:
    body = b"\n".join([line(1), b"", line("ä\u2028"), line([3]) + b"\r"]) + b"\n"

    made = http.post("/api/v1/tasks/batch", content=pieces(body, 7))

    assert made.status_code == 202, made.text
    payloads = [project.transport.call("runs.retrieve", id=run["id"])["payload"] for run in made.json()["runs"]]
    assert payloads == [1, "ä\u2028", [3]]
    assert http.get(f"/api/v1/batches/{made.json()['id']}").json()["total"] == 3


def test_a_bad_line_is_named_and_nothing_is_triggered(http: httpx.Client, project: Project) -> None:
    refusals = {
        400: [line(1) + b'\n\n{"task": "plain", "payload": ', line(1) + b"\n\n" + b'{"payload": 1}', b"[]\n" * 3],
        404: [],
        413: [b""],
        422: [line(1) + b"\n\n" + line({"n": 1}, "typed")],
    }
    for status, bodies in refusals.items():
        for body in bodies:
            refused = http.post("/api/v1/tasks/batch", content=body)
            assert refused.status_code == status, (body, refused.text)
            if body.startswith(line(1)) and status == 400:
                assert "line 3" in refused.json()["detail"]
    assert project.transport.call("runs.list")["items"] == []


def test_more_lines_than_a_batch_has_are_refused_at_the_first_one_too_many(http: httpx.Client) -> None:
    body = b"\n".join(line(n) for n in range(1_200))
    refused = http.post("/api/v1/tasks/batch", content=pieces(body, 4_096))
    assert refused.status_code == 413
    assert refused.json()["detail"].startswith("line 1001: a batch has at most 1,000 items")
    allowed = http.post("/api/v1/tasks/batch", content=b"\n".join(line(n) for n in range(1_000)))
    assert len(allowed.json()["runs"]) == 1_000


def test_a_batch_of_lines_with_an_id_can_be_sent_again(http: httpx.Client) -> None:
    batch = new_id("batch")
    made = http.post("/api/v1/tasks/batch", params={"id": batch}, content=line(1))
    assert made.json()["id"] == batch
    assert http.post("/api/v1/tasks/batch", params={"id": "five"}, content=line(1)).status_code == 400


def test_the_clients_see_how_a_batch_stands(project: Project, server: HttpServer) -> None:
    worker = project.worker()
    with Detent(api_url=server.url, secret_key=KEY) as client:
        made = client.tasks.batch_trigger([{"payload": n} for n in range(3)], "plain")
        assert client.batches.retrieve(made.id).status == "PENDING"
        for grant in worker.claim(3):
            worker.finish(grant, output=grant.payload)
        ended = client.batches.poll(made.id, "10s")
        assert (ended.status, ended.counts, ended.runs) == (
            "COMPLETED",
            {"COMPLETED": 3},
            [run.id for run in made.runs],
        )
        assert [outcome.output for outcome in client.batches.results(made.id, limit=2)] == [0, 1, 2]
        assert [batch.id for batch in client.batches.list()] == [made.id]

    async def see() -> list[Any]:
        async with AsyncDetent(api_url=server.url, secret_key=KEY) as client:
            await client.batches.poll(made.id)
            return [outcome.output async for outcome in client.batches.results(made.id)]

    assert asyncio.run(see()) == [0, 1, 2]
