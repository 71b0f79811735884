"""A server, and workers of another folder that reach it over HTTP with a key alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.project import TASKS, Project, Service

from detent import Detent
from detent.embedded import RunningServer, running_server

__all__ = ["Far", "far"]


class Far:
    """`near` holds the server and the store, `away` the code of the workers and what it does."""

    def __init__(self, near: Project, away: Project, **server: str) -> None:
        self.near = near
        self.away = away
        self._settings = server
        self._clients: list[Detent] = []
        self.port = 0
        self.server = self.serve()
        self.port = int(self.where.url.rpartition(":")[2])
        self.key = self.new_key()

    def serve(self) -> Service:
        """`detent server`, at the same port as before."""
        self.server = self.near.run("server", "--port", str(self.port), "--json", **self._settings)
        return self.server

    @property
    def where(self) -> RunningServer:
        found = running_server(self.near.root / ".detent")
        assert found is not None
        return found

    def client(self) -> Detent:
        """A client with the owner's key."""
        client = Detent(api_url=self.where.url, secret_key=self.where.key)
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def new_key(self, *scopes: str, environment: str = "dev") -> str:
        options: dict[str, Any] = {"environment": environment, "scopes": list(scopes or ["workers:write"])}
        made = self.client().transport.call("keys.create", name="far", **options)
        return str(made["secret"])

    def work(self, *options: str, url: str | None = None, key: str | None = None, **env: str) -> Service:
        """`detent worker` in the other folder."""
        reach = {"DETENT_API_URL": url or self.where.url, "DETENT_SECRET_KEY": key or self.key}
        return self.away.run("worker", *options, ready=False, **reach, **env)


@contextmanager
def far(folder: Path, tasks: str = TASKS, **server: str) -> Iterator[Far]:
    with Project(folder / "near", "") as near, Project(folder / "away", tasks) as away:
        made = Far(near, away, **server)
        try:
            yield made
        finally:
            made.close()
