"""A project for tests: a real store, engine, telemetry and objects, and a worker that does as it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from detent.embedded import EmbeddedTransport
from detent.engine import Engine
from detent.engine.operations import Operations
from detent.model.manifest import Manifest, ProblemSpec, QueueSpec, TaskSpec
from detent.model.protocol import Answer, Claim, Claimed, Emit, Finish, Grant, Hello, Request
from detent.objects import ObjectStore, open_store
from detent.server.app import make_app
from detent.server.http import HttpServer
from detent.server.hub import Hub
from detent.store import open_database
from detent.telemetry import open_telemetry
from detent.testing.empty_database import put_empty_database

KEY = "dt_dev_0123456789"
SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "n": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
    "required": ["title"],
}
MANIFEST = Manifest(
    [
        TaskSpec("plain", "task/plain", file="tasks/plain.py", line=3),
        TaskSpec("typed", "typed", payload_schema=SCHEMA, max_attempts=5),
        TaskSpec("with/slash", "task/with/slash"),
    ],
    [QueueSpec("typed", 1)],
    [ProblemSpec("tasks/bad.py", 7, "it fails to import")],
    version="20261122.1",
)


class Project:
    """Everything below a transport, in one folder."""

    def __init__(self, folder: Path, objects: ObjectStore | None = None, url: str = "sqlite:///") -> None:
        file = folder / "detent.db" if url.startswith("sqlite") else None
        if file is not None and not file.exists():
            put_empty_database(file)
        #: The file, or the URL.
        self.database = file or url
        self.store = open_database(url, file, "OFF")
        self.telemetry = open_telemetry(url, folder / "telemetry.db")
        self.objects = objects or open_store("memory://")
        self.engine = Engine(self.store, on_emit=self.telemetry.append)
        self.operations = Operations(self.engine, self.telemetry, self.objects)
        self.transport = EmbeddedTransport(self.operations)

    def worker(self) -> Worker:
        return Worker(self.engine)

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> HttpServer:
        hub = Hub(self.operations.streams.shapes, self.operations.streams.listeners)
        server = HttpServer(make_app(self.operations, key=KEY, host=host, hub=hub), host, port)
        server.on_stop.append(hub.close)
        server.start()
        return server

    def close(self) -> None:
        self.telemetry.close()
        self.store.close()


class Worker:
    """A connected worker whose moves the test makes."""

    def __init__(self, engine: Engine, worker_id: str = "worker_1") -> None:
        self._engine = engine
        self.session, _ = engine.connect(Hello(worker_id, MANIFEST, 1, 1.0, "host"), lambda _push: None)

    def say(self, *requests: Request) -> list[Answer]:
        return self._engine.handle(self.session, requests)

    def claim(self, most: int = 10) -> list[Grant]:
        answer = self.say(Claim(async_=most))[0]
        assert isinstance(answer, Claimed)
        return answer.grants

    def finish(self, grant: Grant, status: str = "COMPLETED", **more: Any) -> None:
        self.say(Finish(grant.run_id, grant.epoch, status, **more))

    def emit(self, grant: Grant, **more: Any) -> None:
        self.say(Emit(grant.run_id, grant.epoch, grant.attempt, **more))
