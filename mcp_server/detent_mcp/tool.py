"""A tool: what a model reads about it, what it takes, and what it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .arguments import Argument, arguments_of, schema_of

if TYPE_CHECKING:
    from .call import Call
    from .link import Link

__all__ = ["ENV", "Handler", "Tool", "tool"]

Handler = Callable[..., Awaitable[dict[str, Any]]]
#: What a call does. ``reads``: nothing changes. ``writes``: something is added or can be undone. ``destroys``: what it
#: changes may be lost.
Effect = Literal["reads", "writes", "destroys"]
#: What a call is about: the environment that it names, the server as a whole, or nothing that needs a server.
About = Literal["environment", "server", "nothing"]

ENV = Argument("env", str)
_CONFIRM = Argument("confirm", bool)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool, made by the decorator `tool`, whose parameters these are."""

    name: str
    title: str
    description: str
    handler: Handler
    effect: Effect = "reads"
    needs: str = "any"
    toolset: str = "core"
    about: About = "environment"
    idempotent: bool = False
    here: bool = False
    only_dev: bool = True
    stands_in: bool = False
    unless: Callable[[Mapping[str, Any]], bool] | None = None
    connect: Callable[[Call], Awaitable[Link]] | None = None
    own: tuple[Argument, ...] = field(default=())

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.effect == "reads"

    def arguments(self, *, dev_only: bool) -> tuple[Argument, ...]:
        """What it takes; `dev_only`: where there is one environment."""
        named = {each.name for each in self.own}
        added = []
        if self.about == "environment" and not dev_only and ENV.name not in named:
            added.append(ENV)
        if not self.reads and self.about != "nothing" and not dev_only:
            added.append(_CONFIRM)
        return (*self.own, *added)

    def schema(self, *, dev_only: bool) -> dict[str, Any]:
        """The JSON schema of what it takes."""
        return schema_of(self.arguments(dev_only=dev_only))

    @property
    def annotations(self) -> dict[str, Any]:
        """What clients may go by when they ask their user. Only runs of the project and its server are reached."""
        if self.reads:
            return {"title": self.title, "readOnlyHint": True, "openWorldHint": False}
        told: dict[str, Any] = {
            "title": self.title,
            "readOnlyHint": False,
            "destructiveHint": self.effect == "destroys",
            "openWorldHint": False,
        }
        return told | {"idempotentHint": True} if self.idempotent else told

    def changes(self, values: Mapping[str, Any]) -> bool:
        """Whether a call with these values changes something."""
        return not self.reads and not (self.unless is not None and self.unless(values))


def tool(
    name: str,
    description: str,
    *,
    title: str,
    effect: Effect = "reads",
    needs: str = "any",
    toolset: str = "core",
    about: About = "environment",
    idempotent: bool = False,
    here: bool = False,
    only_dev: bool = True,
    stands_in: bool = False,
    unless: Callable[[Mapping[str, Any]], bool] | None = None,
    connect: Callable[[Call], Awaitable[Link]] | None = None,
) -> Callable[[Handler], Tool]:
    """Make a tool of ``async def handler(call: Call, *, argument: Annotated[type, "…"] = …) -> dict``.

    Parameters:
      description: what it does, and when to use it.
      needs: the scope that a key must have, such as ``runs:read``; ``any`` key will do.
      idempotent: called again with the same arguments, nothing more happens.
      here: it works on files or processes of this machine, so that a server far away does not offer it.
      only_dev: False for what is of no use in dev; it is absent with `Settings.dev_only`.
      stands_in: it takes the place of the writer of the same name where only readers are shown.
      unless: whether a call of a writer changes nothing with these values, so that nothing needs to be confirmed.
      connect: how a call comes to its environment, where that may have to be made first.
    """

    def made(handler: Handler) -> Tool:
        return Tool(
            name,
            title,
            description,
            handler,
            effect,
            needs,
            toolset,
            about,
            idempotent,
            here,
            only_dev,
            stands_in,
            unless,
            connect,
            arguments_of(handler),
        )

    return made
