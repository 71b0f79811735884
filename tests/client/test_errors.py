"""Errors through the clients, over HTTP and in process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.server.project import KEY, Project

from detent.client import AsyncDetent, Detent, HttpTransport
from detent.engine.loops import Digest
from detent.engine.scene import error_text
from detent.errors import InvalidOptions, NotFound
from detent.model.task_error import TaskError
from detent.model.transport import Transport
from detent.server.http import HttpServer


@pytest.fixture(params=["http", "embedded"])
def transport(request: pytest.FixtureRequest, project: Project, server: HttpServer) -> Iterator[Transport]:
    transport: Transport = project.transport
    if request.param == "http":
        transport = HttpTransport(server.url, KEY)
    yield transport
    transport.close()


@pytest.fixture
def errors(project: Project, transport: Transport) -> list[str]:
    """The ids of two errors: the first came once, the second, seen last, twice."""
    worker = project.worker()
    client = Detent(transport)
    for message in ("disk is full", "no route", "no route"):
        client.tasks.trigger("plain", {})
        [grant] = worker.claim()
        worker.finish(grant, "FAILED", error=error_text(TaskError("OSError", message)))
    digest = Digest(project.engine.write, project.store, project.engine.clock)
    while digest.sweep():
        pass
    return [error.id for error in client.errors.list(search="disk")] + [
        error.id for error in client.errors.list(search="no route")
    ]


def test_errors_are_found_resolved_ignored_and_opened_again(transport: Transport, errors: list[str]) -> None:
    client = Detent(transport)
    disk, route = errors
    assert [each.id for each in client.errors.list(limit=1)] == [route, disk]
    assert [each.id for each in client.errors.list(task="plain", since="1h", status="unresolved")] == [route, disk]
    assert list(client.errors.list(until="1h")) == []

    found = client.errors.retrieve(route)
    assert (found.count, found.type, found.message, found.task_counts) == (2, "OSError", "no route", {"plain": 2})
    assert [run.id for run in found.runs] == [found.last_run_id, found.first_run_id]
    assert found.error is not None
    assert found.error.message == "no route"

    assert client.errors.resolve(route).status == "RESOLVED"
    ignored = client.errors.ignore(disk, until="1d", occurrences=5)
    assert (ignored.status, ignored.ignored_until_count) == ("IGNORED", 6)
    assert ignored.ignored_until is not None
    assert [each.id for each in client.errors.list(status=["resolved", "ignored"])] == [route, disk]
    assert client.errors.unresolve(disk).status == "UNRESOLVED"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"until": "soon"}, "until: 'soon'"),
        ({"until": "2020-01-01T00:00:00Z"}, "until must be later than now"),
        ({"occurrences": 0}, "occurrences must be a whole number"),
    ],
)
def test_a_wrong_way_of_ignoring_is_refused(
    transport: Transport, errors: list[str], values: dict[str, object], said: str
) -> None:
    client = Detent(transport)
    with pytest.raises(InvalidOptions, match=said):
        client.errors.ignore(errors[0], **values)  # type: ignore[arg-type]  # wrong on purpose
    assert client.errors.retrieve(errors[0]).status == "UNRESOLVED"


def test_what_is_not_there_is_said(transport: Transport) -> None:
    client = Detent(transport)
    for ask in (client.errors.retrieve, client.errors.resolve, client.errors.ignore, client.errors.unresolve):
        with pytest.raises(NotFound, match="detent errors list"):
            ask("0123456789abcdef")
    with pytest.raises(InvalidOptions, match="did you mean 'RESOLVED'"):
        client.errors.list(status="resolvd").page()
    with pytest.raises(InvalidOptions, match="from 1 to 100"):
        client.errors.list(limit=0)


def test_the_same_awaited(transport: Transport, errors: list[str]) -> None:
    async def main() -> None:
        client = AsyncDetent(transport)
        assert [each.id async for each in client.errors.list()] == [errors[1], errors[0]]
        assert (await client.errors.resolve(errors[0])).status == "RESOLVED"
        assert (await client.errors.ignore(errors[0], occurrences=1)).status == "IGNORED"
        assert (await client.errors.unresolve(errors[0])).status == "UNRESOLVED"
        assert (await client.errors.retrieve(errors[0])).count == 1
        if isinstance(transport, HttpTransport):
            await transport.aclose()

    asyncio.run(main())
