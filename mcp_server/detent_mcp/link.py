"""What a call speaks to: a server, and one environment of one project on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from detent.client import AsyncDetent
    from detent.client.http import HttpTransport

__all__ = ["PROD", "Link", "Where"]

PROD = "prod"


class Where(NamedTuple):
    """The project and the environment that a call is about."""

    project: str
    environment: str


class Link:
    """A warm connection to one environment.

    Parameters:
      transport: how its server is reached. `where`: what it is about. `scopes`: what the key may do.
      folder: the project's folder, when it is on this machine.
    """

    def __init__(
        self, transport: HttpTransport, where: Where, scopes: frozenset[str] = frozenset(), folder: Path | None = None
    ) -> None:
        self.transport = transport
        self.where = where
        self.scopes = scopes
        self.folder = folder
        self._api: AsyncDetent | None = None

    @property
    def url(self) -> str:
        """The server's address."""
        return self.transport.api_url

    @property
    def is_prod(self) -> bool:
        """Whether what is done here reaches real users."""
        return self.where.environment == PROD

    @property
    def api(self) -> AsyncDetent:
        """A client of it."""
        if self._api is None:
            from detent.client import AsyncDetent

            self._api = AsyncDetent(self.transport)
        return self._api

    async def ask(self, operation: str, **values: Any) -> Any:
        """The answer to an operation as plain JSON: one request. What is None is not sent.

        Errors: those of the operation; `ServerUnreachable`.
        """
        given = {name: value for name, value in values.items() if value is not None}
        return await self.transport.call_async(operation, **given)


async def linked(transport: HttpTransport, folder: Path | None = None) -> Link:
    """The link over a transport, after one question about whose key it is. Errors: `Unauthorized`, `NotFound`."""
    me = await transport.call_async("auth.whoami")
    return Link(transport, Where(me.get("project") or "", me["environment"]), frozenset(me.get("scopes", ())), folder)
