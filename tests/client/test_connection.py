"""How calls find the engine of a project: alone, beside a server, when it comes and goes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from tests.server.project import Project

from detent import embedded
from detent.client import AsyncDetent, Detent, HttpTransport
from detent.config import load_config
from detent.connection import default_transport, forget_connections, using
from detent.embedded import ProjectTransport, running_server
from detent.errors import ProjectLocked
from detent.server.host import Host
from detent.server.lock import ProjectLock

TRIGGER_MANY = """
from detent.client import Detent
client = Detent()
for n in range(40):
    client.tasks.trigger("work", n)
"""

FORK = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from detent.client import Detent
Detent().tasks.trigger("work", "parent")
child = os.fork()
if child == 0:
    Detent().tasks.trigger("work", "child")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
Detent().tasks.trigger("work", "parent again")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "detent.toml").write_text('project = "x"\nport = 0\n')
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("DETENT_"):
            monkeypatch.delenv(name)
    yield tmp_path
    forget_connections()


def payloads(client: Detent) -> list[object]:
    return [client.runs.retrieve(run.id).payload for run in client.runs.list(limit=100)]


def test_a_script_triggers_into_an_idle_project_and_lets_it_go(folder: Path) -> None:
    client = Detent()

    run = client.tasks.trigger("work", {"n": 1})

    detail = client.runs.retrieve(run.id)
    assert (detail.status, detail.payload) == ("PENDING_VERSION", {"n": 1})
    lock = ProjectLock(folder / ".detent")
    assert lock.try_acquire()
    lock.release()
    assert default_transport() is default_transport()


def test_a_client_follows_the_engine_into_a_server_and_back(folder: Path) -> None:
    client = Detent()
    client.tasks.trigger("work", "before")
    host = Host(load_config(folder))
    host.start()
    client.tasks.trigger("work", "during")
    seen_by_host = host.operations.call("runs.list")["items"]
    host.stop()
    client.tasks.trigger("work", "after")

    assert len(seen_by_host) == 2
    assert payloads(client) == ["after", "during", "before"]


def test_the_async_client_follows_too(folder: Path) -> None:
    async def scenario() -> None:
        client = AsyncDetent()
        await client.tasks.trigger("work", "before")
        host = Host(load_config(folder))
        host.start()
        try:
            await client.tasks.trigger("work", "during")
            assert len([run async for run in client.runs.list()]) == 2
        finally:
            host.stop()

    asyncio.run(scenario())


def test_several_processes_and_threads_share_an_idle_project(folder: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", TRIGGER_MANY], cwd=folder) for _ in range(2)]
    client = Detent()
    threads = [Thread(target=lambda: [client.tasks.trigger("work", n) for n in range(20)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(list(client.runs.list(limit=100))) == 2 * 40 + 3 * 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_makes_its_own_connection(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", FORK], cwd=folder, check=True, timeout=60)

    assert payloads(Detent()) == ["parent again", "child", "parent"]


def test_a_process_that_holds_the_project_and_serves_nobody_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "PATIENCE_S", 0.1)
    transport = ProjectTransport(load_config(folder))
    with ProjectLock(folder / ".detent"), pytest.raises(ProjectLocked, match="takes no requests"):
        transport.call("health")

    assert transport.call("health")["status"] == "no_workers"
    transport.close()


def test_what_a_dead_or_half_started_server_left_behind_is_not_believed(folder: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    state_dir = folder / ".detent"
    state_dir.mkdir()
    told = state_dir / "server.json"
    assert running_server(state_dir) is None
    for content in (
        "",
        "[]",
        "{}",
        '{"url": "http://x", "pid": "?"}',
        f'{{"url": "http://x", "pid": {process.pid}}}',
    ):
        told.write_text(content)
        assert running_server(state_dir) is None

    told.write_text(f'{{"url": "http://x", "pid": {os.getpid()}, "key": "k"}}')
    server = running_server(state_dir)

    assert server is not None
    assert (server.url, server.key, server.socket) == ("http://x", "k", None)


def test_a_server_that_is_named_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETENT_API_URL", "http://127.0.0.1:9/")
    transport = default_transport()

    assert isinstance(transport, HttpTransport)
    assert transport.api_url == "http://127.0.0.1:9"


def test_a_transport_that_is_set_is_used_within_its_block(folder: Path, project: Project) -> None:
    seen: list[object] = []

    def look() -> None:
        seen.append(default_transport() is project.transport)

    with using(project.transport):
        look()
        thread = Thread(target=look)
        thread.start()
        thread.join()
    look()
    with using(project.transport, everywhere=True):
        thread = Thread(target=look)
        thread.start()
        thread.join()
    look()

    assert seen == [True, False, False, True, False]
