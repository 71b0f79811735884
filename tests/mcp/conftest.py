from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from mcp.client.streamable_http import streamable_http_client
from tests.server.project import KEY, Project

from detent.server.app import make_app
from detent.server.http import HttpServer
from detent.server.hub import Hub
from detent_cli.mcp_mount import McpMount
from detent_mcp.connection import Connection
from detent_mcp.server import Entry, make_server
from detent_mcp.settings import Settings
from mcp import Client, StdioServerParameters

WAYS = ("memory", "stdio", "http")
ERAS = ("legacy", "auto")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path / ".detent")
    yield project
    project.close()


@pytest.fixture
def asked() -> list[str]:
    """Method and path of each request to the API."""
    return []


@pytest.fixture
def served(project: Project, asked: list[str]) -> Iterator[HttpServer]:
    """The API of a project, with MCP beside it, as `detent server` puts it together."""
    hub, mount = Hub(project.operations.streams.shapes, project.operations.streams.listeners), McpMount()
    app = make_app(project.operations, key=KEY, hub=hub, mcp=mount)

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        asked.append(f"{scope['method']} {scope['path']}")
        await app(scope, receive, send)

    server = HttpServer(noting)
    server.on_stop += [hub.close, mount.stop]
    server.start()
    yield server
    server.stop()


@dataclass
class Assistant:
    """A client of the MCP server, over one way and in one era of the protocol."""

    url: str
    way: str = "memory"
    era: str = "auto"
    key: str = KEY
    settings: Settings = field(default_factory=Settings)
    folder: Path | None = None

    def but(self, **settings: Any) -> Assistant:
        """The same with other settings."""
        return replace(self, settings=replace(self.settings, **settings))

    @asynccontextmanager
    async def connected(self, **client: Any) -> AsyncIterator[Client]:
        """A connected client."""
        if self.way == "stdio":
            args = ["-m", "detent_cli", "mcp", *_flags(self.settings)]
            env = dict(os.environ) | {"DETENT_API_URL": self.url, "DETENT_SECRET_KEY": self.key}
            target: Any = StdioServerParameters(command=sys.executable, args=args, env=env, cwd=self.folder)
            async with Client(target, mode=self.era, **client) as found:  # type: ignore[arg-type]
                yield found
        elif self.way == "http":
            import httpx2

            query = "?readonly=true" if self.settings.readonly else ""
            async with httpx2.AsyncClient(headers={"authorization": f"Bearer {self.key}"}, timeout=60) as http:
                target = streamable_http_client(f"{self.url}/mcp{query}", http_client=http)
                async with Client(target, mode=self.era, **client) as found:  # type: ignore[arg-type]
                    yield found
        else:
            entry = None
            settings = replace(self.settings, api_url=self.url)
            os.environ["DETENT_SECRET_KEY"] = self.key
            try:
                connection = Connection(settings)
                entry = Entry(connection, settings)
                server = make_server(settings, lambda _context: entry)
                async with Client(server, mode=self.era, **client) as found:  # type: ignore[arg-type]
                    yield found
                await connection.close()
            finally:
                os.environ.pop("DETENT_SECRET_KEY", None)

    def run(self, work: Callable[[Client], Awaitable[Any]], **client: Any) -> Any:
        """What `work` returns for a connected client."""

        async def all_of_it() -> Any:
            async with self.connected(**client) as found:
                return await work(found)

        return asyncio.run(all_of_it())

    def call(self, tool: str, arguments: dict[str, Any] | None = None, **client: Any) -> Any:
        """The result of one call."""
        return self.run(lambda found: found.call_tool(tool, arguments or {}), **client)

    def ask(self, tool: str, arguments: dict[str, Any] | None = None, **client: Any) -> dict[str, Any]:
        """The structured result of one call that succeeds."""
        result = self.call(tool, arguments, **client)
        assert not result.is_error, result.content[0].text
        found: dict[str, Any] = result.structured_content
        return found

    def refused(self, tool: str, arguments: dict[str, Any] | None = None, **client: Any) -> dict[str, Any]:
        """The error of one call that fails."""
        result = self.call(tool, arguments, **client)
        assert result.is_error, result.structured_content
        found: dict[str, Any] = result.structured_content["error"]
        return found


def _flags(settings: Settings) -> list[str]:
    flags = []
    if settings.toolsets != ("core",):
        flags += ["--toolsets", ",".join(settings.toolsets)]
    for name, wanted in (("--readonly", settings.readonly), ("--dev-only", settings.dev_only)):
        flags += [name] if wanted else []
    if settings.environment is not None:
        flags += ["--env", settings.environment]
    return flags


@pytest.fixture(params=[(way, era) for way in WAYS for era in ERAS], ids=lambda pair: "-".join(pair))
def everywhere(request: pytest.FixtureRequest, served: HttpServer, tmp_path: Path) -> Assistant:
    """An assistant over each way and in each era: what is tested with it holds for all of them."""
    way, era = request.param
    return Assistant(served.url, way, era, folder=tmp_path)


@pytest.fixture(params=[(way, era) for way in ("memory", "http") for era in ERAS], ids=lambda pair: "-".join(pair))
def nearby(request: pytest.FixtureRequest, served: HttpServer, tmp_path: Path) -> Assistant:
    """An assistant over the ways that need no process of their own."""
    way, era = request.param
    return Assistant(served.url, way, era, folder=tmp_path)


@pytest.fixture
def assistant(served: HttpServer, tmp_path: Path) -> Assistant:
    """An assistant in memory."""
    return Assistant(served.url, folder=tmp_path)
