"""One call of a tool, as its handler sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .refusals import Refusal
from .results import encode
from .untrusted import cut

if TYPE_CHECKING:
    from detent.client import AsyncDetent

    from .caller import Caller
    from .connection import Connecting
    from .link import Link, Where
    from .settings import Settings
    from .tool import Tool

__all__ = ["Call"]


@dataclass(slots=True)
class Call:
    """A call. `notes`: what else the model is told with the result. `who`: whose key it is, where several may call.
    `may`: whether that key allows a scope."""

    tool: Tool
    settings: Settings
    connecting: Connecting
    caller: Caller
    confirmed: bool = False
    named: str | None = None
    notes: list[str] = field(default_factory=list)
    who: str = ""
    may: Callable[[str], bool] = lambda _scope: True
    _link: Link | None = None

    async def connect(self, environment: str | None = None) -> Link:
        """The link to `environment`, or to that which the call is about. Errors: as of `Connecting.open`."""
        self._link = await self.connecting.open(environment or self.named, self.caller, self.notes)
        return self._link

    @property
    def link(self) -> Link:
        """What the call speaks to; there is one unless the tool is about nothing."""
        if self._link is None:
            raise RuntimeError(f"{self.tool.name} has not connected")
        return self._link

    @property
    def linked(self) -> bool:
        """Whether it has connected."""
        return self._link is not None

    @property
    def where(self) -> Where:
        """The project and the environment that the call is about."""
        return self.link.where

    @property
    def api(self) -> AsyncDetent:
        """A client of the environment."""
        return self.link.api

    async def ask(self, operation: str, **values: Any) -> Any:
        """The answer to an operation as plain JSON: one HTTP request. What is None is not sent."""
        return await self.link.ask(operation, **values)

    async def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Tell the client how far it is."""
        await self.caller.progress(done, total, message)

    async def confirm(self, values: Mapping[str, Any]) -> None:
        """Come back when this may be done to prod: the user, or `confirm`, says so. Errors: `Refusal`."""
        if self.confirmed:
            return
        what = f"{self.tool.title} in {self.where.environment} of {self.where.project}: {cut(encode(values), 400)}"
        if not self.caller.can_ask:
            raise Refusal(
                f"{what}. This changes prod, so a person has to agree first. Nothing was done.",
                next=f"ask the user; when they agree, repeat {self.tool.name} with confirm=true",
                code="confirmation_needed",
            )
        if not await self.caller.agrees(f"{what}?"):
            raise Refusal(
                f"{what}. The user did not agree. Nothing was done.",
                next="do something else, or ask the user what they want; confirm=true only when they say so",
                code="not_confirmed",
            )
