"""F26: whoever follows a run or reads a stream misses nothing and hears nothing twice, whatever breaks meanwhile."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from detent import Detent
from detent.client import HttpTransport
from detent.embedded import running_server
from detent.model.stream_views import StreamPart

from .project import Project, wait_for

TASKS = """
from __future__ import annotations

import asyncio
from pathlib import Path

from detent import Context, metadata, streams, task

GATES = Path(__file__).parent.parent / "gates"


@task(id="talks", max_duration=60)
async def talks(n: int, ctx: Context) -> int:
    for number in range(n):
        await streams.append("tokens", f"{number} ")
        if number % 10 == 0:
            metadata.set("n", number)
        await asyncio.sleep(0.002)
    while not (GATES / "end").exists():
        await asyncio.sleep(0.01)
    return n
"""


@contextmanager
def breaking(url: str, after: int) -> Iterator[tuple[str, list[int]]]:
    """An address in front of `url` whose connections break after so many bytes of an answer; what each carried."""
    target = urlsplit(url)
    carried: list[int] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=carry, args=(client,), daemon=True).start()

    def carry(client: socket.socket) -> None:
        left = after
        with suppress(OSError), client, socket.create_connection((target.hostname, target.port)) as server:
            threading.Thread(target=forward, args=(client, server), daemon=True).start()
            while left > 0 and (part := server.recv(min(left, 4096))):
                client.sendall(part)
                left -= len(part)
            # Closing alone would wait for the thread that reads from the client.
            client.shutdown(socket.SHUT_RDWR)
            server.shutdown(socket.SHUT_RDWR)
        carried.append(after - left)

    def forward(client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while part := client.recv(4096):
                server.sendall(part)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", carried
    finally:
        listener.close()


class Reading:
    """What a client hears, on a thread of its own."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.heard: list[Any] = []
        self._events = events
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            self.heard.extend(self._events)
        except BaseException as error:
            self._failure = error

    def to_the_end(self) -> list[Any]:
        self._thread.join(60)
        assert not self._thread.is_alive(), self.heard[-3:]
        if self._failure is not None:
            raise self._failure
        return self.heard


def _is_whole(parts: list[StreamPart], n: int) -> None:
    assert [part.seq for part in parts] == list(range(1, n + 1))
    assert [part.value for part in parts] == [f"{number} " for number in range(n)]


def test_connections_that_break_again_and_again_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    with Project(tmp_path / "p", TASKS) as project:
        project.dev()
        server = running_server(project.root / ".detent")
        assert server is not None
        run = project.client().tasks.trigger("talks", 300)
        with breaking(server.url, 2_000) as (address, carried):
            transport = HttpTransport(address, server.key)
            client = Detent(transport)
            parts = Reading(client.streams.parts(run.id, "tokens"))
            updates = Reading(client.runs.subscribe(run.id))
            wait_for("parts come", lambda: len(parts.heard) > 250)
            project.open_gate("end")
            _is_whole(parts.to_the_end(), 300)
            seen = updates.to_the_end()
            transport.close()
        assert len(carried) > 5
        assert seen[-1].output == 300
        told = [event.seq for update in seen for event in update.events]
        history = [event.seq for event in project.client().runs.events(run.id)]
        assert told == history[len(history) - len(told) :]
        assert [update.metadata.get("n", -1) for update in seen] == sorted(
            update.metadata.get("n", -1) for update in seen
        )


def test_a_server_that_is_killed_and_comes_back_tells_the_rest(tmp_path: Path) -> None:
    with Project(tmp_path / "p", TASKS) as project:
        server = project.run("server", "--port", "0", "--json")
        project.run("worker", ready=False)
        client = project.client()
        run = client.tasks.trigger("talks", 400)
        parts = Reading(client.streams.parts(run.id, "tokens"))
        updates = Reading(client.runs.subscribe(run.id))
        wait_for("parts come", lambda: len(parts.heard) > 50)
        server.kill_everything()
        project.run("server", "--port", "0", "--json")
        project.open_gate("end")
        _is_whole(parts.to_the_end(), 400)
        assert [update.status for update in updates.to_the_end()][-1] == "COMPLETED"


def test_a_worker_that_is_killed_while_it_writes_leaves_the_order_as_it_is(tmp_path: Path) -> None:
    with Project(tmp_path / "p", TASKS) as project:
        dev = project.dev()
        client = project.client()
        run = client.tasks.trigger("talks", 300)
        parts = Reading(client.streams.parts(run.id, "tokens"))
        wait_for("parts come", lambda: len(parts.heard) > 50)
        [worker] = dev.workers()
        worker.kill()
        project.open_gate("end")
        heard = parts.to_the_end()
        [at] = [place for place, part in enumerate(heard) if part.restarted is not None]
        assert heard[at].restarted == 0
        assert [part.seq for part in heard] == list(range(1, len(heard) + 1))
        assert [part.value for part in heard[:at]] == [f"{number} " for number in range(at)]
        assert [part.value for part in heard[at + 1 :]] == [f"{number} " for number in range(300)]
