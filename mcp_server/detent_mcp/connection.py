"""Which server and project the calls of `detent mcp` are about, found at the first call and kept warm."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from detent.config import Config, load_config
from detent.errors import Unauthorized

from .dev_child import DevChild
from .link import Link, linked
from .refusals import Refusal
from .settings import Settings

if TYPE_CHECKING:
    from detent.client.http import HttpTransport

    from .caller import Caller

__all__ = ["Connecting", "Connection", "Far"]

DEV = "dev"


class Far(Protocol):
    """A server that one is logged in to; see `detent_cli.remote.Remote`."""

    @property
    def profile(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def project(self) -> str | None: ...
    @property
    def environment(self) -> str | None: ...


class Connecting(Protocol):
    """How calls come to a link."""

    async def open(self, environment: str | None, caller: Caller, notes: list[str], *, start: bool = True) -> Link:
        """The link for a call that names `environment`, or none. What was done for it is added to `notes`.

        `start`: whether a server may be started for it.
        """
        ...

    def folder(self) -> Config | None:
        """The settings of the project on this machine; None without one."""
        ...


class Connection:
    """The server that flags, the profile, the variables of the environment or the folder name.

    Parameters:
      settings: the flags.
      far: the server that one is logged in to, None without one. Errors: those of profiles.
    """

    def __init__(self, settings: Settings, far: Callable[[], Far | None] = lambda: None) -> None:
        self._settings = settings
        self._far = far
        self._lock = asyncio.Lock()
        self._links: dict[tuple[str, str, str | None], Link] = {}
        self._root: Path | None = None
        self._asked_roots = False
        #: The dev server that was started here.
        self.dev: DevChild | None = None

    async def open(self, environment: str | None, caller: Caller, notes: list[str], *, start: bool = True) -> Link:
        """See `Connecting.open`. Errors: `Refusal`, `Unauthorized`, `NotFound`, `ServerUnreachable`."""
        async with self._lock:
            return await self._open(environment, caller, notes, start)

    def folder(self) -> Config | None:
        """See `Connecting.folder`."""
        config = self._config()
        return config if is_project(config) else None

    async def project(self, caller: Caller) -> Config:
        """The settings of the project on this machine, also from what the client says its folders are.

        Errors: `Refusal` without a project.
        """
        config = self._config()
        if is_project(config):
            return config
        if not self._asked_roots and await self._ask_roots(caller):
            return self._config()
        raise Refusal(
            f"{config.root} is no detent project, so there is nothing to speak to",
            next=f"make it one with `cd {config.root} && detent init`, or name the project's folder in the client's "
            "settings: detent mcp --project DIR, or a server: detent login --url URL",
            code="no_project",
        )

    @property
    def readonly(self) -> bool:
        """Whether nothing may be started from here."""
        return self._settings.readonly

    def settle(self, folder: Path) -> None:
        """From now on the project is that of `folder`."""
        self._root = folder

    async def start_dev(self, config: Config) -> DevChild:
        """The dev server of a project, started as a child unless it runs already. Errors: `Refusal`."""
        async with self._lock:
            return await self._start_dev(config)

    async def close(self) -> None:
        """Close the connections; the dev server that was started here stops by itself."""
        if self.dev is not None:
            self.dev.let_go()
        for link in self._links.values():
            await link.transport.aclose()

    async def _open(self, environment: str | None, caller: Caller, notes: list[str], start: bool) -> Link:
        environment = self._allowed(environment)
        config = self._config()
        url = self._settings.api_url or config.api_url
        if url is not None:
            named = environment or self._settings.environment or config.environment
            project = self._settings.project or config.project_slug
            advice = "see to it that it runs and can be reached from here, or correct --api-url or DETENT_API_URL"
            key_advice = (
                f"the server {url} does not take the key in DETENT_SECRET_KEY; make one there with "
                "`detent keys create`, and set it in the client's settings of this server (env)"
            )
            return await self._link(url, config.secret_key, project, named, advice, key_advice)
        far = self._far()
        if far is not None:
            named = environment or self._settings.environment or far.environment
            project = self._settings.project or far.project
            again = f"detent login --url {far.url} --profile {far.profile}"
            advice = f"see to it that it runs and can be reached from here, or log in elsewhere: {again}"
            key_advice = f"{far.url} does not take the key of the profile {far.profile}; log in again: {again}"
            return await self._link(far.url, far.key, project, named, advice, key_advice)
        return await self._local(environment, caller, notes, start)

    def _allowed(self, environment: str | None) -> str | None:
        if not self._settings.dev_only:
            return environment
        if environment not in (None, DEV):
            raise Refusal(f"this server is for dev only (--dev-only); {environment} is out of its reach")
        return DEV

    async def _local(self, environment: str | None, caller: Caller, notes: list[str], start: bool) -> Link:
        from detent.embedded import running_server

        config = await self.project(caller)
        server = running_server(config.state_dir)
        if server is None and start:
            await self._start(config, notes)
            server = running_server(config.state_dir)
        if server is None:
            raise self._nothing_runs(config)
        named = environment or self._settings.environment or config.environment
        advice = f"start it: cd {config.root} && detent dev"
        return await self._link(
            server.url, server.key, self._settings.project or config.project_slug, named, advice, advice, config.root
        )

    async def _start(self, config: Config, notes: list[str]) -> None:
        if self._settings.readonly or not self._settings.start:
            raise self._nothing_runs(config)
        try:
            await self._start_dev(config)
        except Refusal:
            from detent.embedded import running_server

            if running_server(config.state_dir) is None:
                raise
            # Another assistant started one at the same moment, which serves both.
            self.dev = None
            return
        notes.append(f"no server ran for {config.root}: `detent dev` was started, and stops with this MCP server")

    async def _start_dev(self, config: Config) -> DevChild:
        if self.dev is None or self.dev.config.root != config.root:
            if self.dev is not None:
                await self.dev.stop()
            self.dev = DevChild(config)
        await self.dev.start()
        return self.dev

    def _nothing_runs(self, config: Config) -> Refusal:
        why = " (--readonly)" if self._settings.readonly else " (--no-start)" if not self._settings.start else ""
        return Refusal(
            f"no detent server runs for the project {config.root}, and it is not started from here{why}",
            next=f"start it: cd {config.root} && detent dev",
            code="server_unreachable",
        )

    async def _link(  # noqa: PLR0917  # called in three places, in one manner
        self,
        url: str,
        key: str | None,
        project: str | None,
        environment: str | None,
        advice: str,
        key_advice: str,
        folder: Path | None = None,
    ) -> Link:
        place = (url, f"{key}\0{project}", environment)
        link = self._links.get(place)
        if link is not None:
            return link
        transport = await asyncio.to_thread(_transport, url, key, project, environment, advice)
        try:
            link = await linked(transport, folder)
        except BaseException as error:
            await transport.aclose()
            if isinstance(error, Unauthorized):
                raise Refusal(error.message, next=key_advice, code=error.code) from None
            raise
        if self._settings.dev_only and link.where.environment != DEV:
            await transport.aclose()
            raise Refusal(
                f"this server is for dev only (--dev-only), and the key is for {link.where.environment}",
                next="use a key of dev, or leave --dev-only out of the client's settings",
            )
        self._links[place] = link
        return link

    def _config(self) -> Config:
        """The settings of the folder, read anew: they may have been changed meanwhile."""
        if self._root is not None:
            return load_config(self._root)
        if not os.environ.get("DETENT_PROJECT_DIR"):
            # Claude Code says where its project is; the folder that it starts servers in may be another one.
            named = os.environ.get("CLAUDE_PROJECT_DIR")
            if named and Path(named).is_dir():
                config = load_config(Path(named))
                if is_project(config):
                    return config
        return load_config()

    async def _ask_roots(self, caller: Caller) -> bool:
        """Whether one of the client's folders is a project, which is used from then on."""
        self._asked_roots = True
        self._root = next(filter(None, map(_project_of, await caller.roots())), None)
        return self._root is not None


def _project_of(uri: str) -> Path | None:
    """The folder that a URI names, if it is a project."""
    parts = urlsplit(uri)
    folder = Path(unquote(parts.path))
    return folder if parts.scheme == "file" and folder.is_dir() and is_project(load_config(folder)) else None


def is_project(config: Config) -> bool:
    """Whether somebody made this folder a project."""
    return config.file is not None or bool(config.dirs) or config.state_dir.is_dir()


def _transport(url: str, key: str | None, project: str | None, environment: str | None, advice: str) -> HttpTransport:
    """On a thread: httpx takes a moment to import."""
    import sys

    if "httpx" not in sys.modules:
        # Its own command line would be loaded with it, in vain.
        sys.modules["httpx._main"] = None  # type: ignore[assignment]
        try:
            import httpx  # noqa: F401
        finally:
            del sys.modules["httpx._main"]
    from detent.client.http import HttpTransport

    options: dict[str, Any] = {"advice": advice}
    return HttpTransport(url, key, project=project, environment=environment, **options)
