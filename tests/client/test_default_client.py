"""The default client: chosen where it is used, and chosen otherwise by `configure` and `using`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server.project import KEY, Project

from detent import configure, queues, runs, task, tasks, using
from detent.client import AsyncDetent, Detent, HttpTransport
from detent.connection import default_transport
from detent.errors import InvalidOptions
from detent.server.http import HttpServer
from detent.sync import queues as queues_sync
from detent.sync import runs as runs_sync
from detent.sync import tasks as tasks_sync
from detent.testing import harness


@pytest.fixture(autouse=True)
def no_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DETENT_API_URL", raising=False)
    yield
    configure()


@task(id="default/other-target")
async def other_target(url: str) -> list[str]:
    async with AsyncDetent(api_url=url, secret_key=KEY) as client:
        with using(client):
            made = await tasks.trigger("plain", 1)
            there = await runs.retrieve(made.id)
    return [there.task, str(there.parent_id)]


def test_a_server_is_configured_once_for_all_names(project: Project, server: HttpServer) -> None:
    project.worker()

    configure(api_url=server.url, secret_key=KEY, timeout=10)

    made = tasks_sync.trigger("plain", {"n": 1})
    assert [run.id for run in runs_sync.list()] == [made.id]
    queues_sync.pause("task/plain")
    assert Detent().runs.retrieve(made.id).not_running is not None
    assert isinstance(default_transport(), HttpTransport)
    configure()
    assert not isinstance(default_transport(), HttpTransport)


def test_several_targets_are_used_side_by_side(
    project: Project, server: HttpServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Project(tmp_path_factory.mktemp("other"))
    for one in (project, other):
        one.worker()

    async def scenario() -> None:
        async with AsyncDetent(api_url=server.url, secret_key=KEY) as client:
            with using(client):
                await tasks.trigger("plain", "here")
                with using(other.transport):
                    await tasks.trigger("plain", "there")
                    await queues.pause("task/plain")
                assert [(await runs.retrieve(run.id)).payload async for run in runs.list()] == ["here"]

    asyncio.run(scenario())
    assert [run["id"] for run in other.operations.call("runs.list")["items"]]
    assert len(project.operations.call("runs.list")["items"]) == 1
    other.close()


def test_a_run_can_use_another_target_and_starts_no_child_there(project: Project, server: HttpServer) -> None:
    project.worker()
    with harness([other_target]) as h:
        run = Detent().tasks.trigger("default/other-target", server.url)
        assert h.output(run) == ["plain", "None"]


def test_a_client_that_was_made_before_follows_what_is_chosen_later(project: Project) -> None:
    project.worker()
    client = Detent()

    with using(project.transport):
        client.tasks.trigger("plain")

    assert len(project.operations.call("runs.list")["items"]) == 1


def test_options_without_a_server_are_refused() -> None:
    with pytest.raises(InvalidOptions, match="timeout was given without api_url"):
        configure(timeout=3)
