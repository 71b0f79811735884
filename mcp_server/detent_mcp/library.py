"""What a server offers besides tools: resources, prompts, completions, and word of runs that have changed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mcp_types import (
    CompleteResult,
    EmptyResult,
    GetPromptResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ReadResourceResult,
    SubscriptionsListenResult,
)

from detent.errors import DetentError

from .call import Call
from .caller import Caller
from .completions import complete, names_runs
from .prompts import get_prompt, list_prompts
from .resources import list_resources, list_templates, read_resource
from .tools.run_details import get_run_details
from .watching import Watching

if TYPE_CHECKING:
    from .link import Link
    from .server import Entry

__all__ = ["Library"]


class Library:
    """Answers requests about all that is no tool.

    Parameters:
      entry_of: who makes a request, from its context.
    """

    def __init__(self, entry_of: Callable[[Any], Entry]) -> None:
        self._entry_of = entry_of
        self._watching = Watching()

    def handlers(self) -> dict[str, Any]:
        """As the server takes them."""
        return {
            "on_list_resources": self._list_resources,
            "on_list_resource_templates": self._list_templates,
            "on_read_resource": self._read,
            "on_subscribe_resource": self._subscribe,
            "on_unsubscribe_resource": self._unsubscribe,
            "on_subscriptions_listen": self._listen,
            "on_list_prompts": self._list_prompts,
            "on_get_prompt": self._prompt,
            "on_completion": self._complete,
        }

    async def _list_resources(self, _context: Any, _params: Any) -> ListResourcesResult:
        return await list_resources()

    async def _list_templates(self, _context: Any, _params: Any) -> ListResourceTemplatesResult:
        return await list_templates()

    async def _read(self, context: Any, params: Any) -> ReadResourceResult:
        entry = self._entry_of(context)

        async def connected() -> Call:
            caller = Caller(context)
            call = Call(get_run_details, entry.settings, entry.connecting, caller, who=entry.who, may=entry.may)
            await call.connect()
            return call

        return await read_resource(str(params.uri), connected)

    async def _subscribe(self, context: Any, params: Any) -> EmptyResult:
        return await self._watching.subscribe(context.session, str(params.uri), self._link(context))

    async def _unsubscribe(self, context: Any, params: Any) -> EmptyResult:
        return await self._watching.unsubscribe(context.session, str(params.uri))

    async def _listen(self, context: Any, params: Any) -> SubscriptionsListenResult:
        return await self._watching.listen(context, params, self._link(context))

    async def _list_prompts(self, _context: Any, _params: Any) -> ListPromptsResult:
        return list_prompts()

    async def _prompt(self, _context: Any, params: Any) -> GetPromptResult:
        return get_prompt(params.name, params.arguments or {})

    async def _complete(self, context: Any, params: Any) -> CompleteResult:
        link = None
        with suppress(DetentError):  # what cannot be asked is not offered
            if names_runs(params.ref, params.argument.name):
                link = await self._link(context)()
            found = await complete(params.ref, params.argument.name, params.argument.value, link)
            return CompleteResult(completion=found)
        return CompleteResult(completion=await complete(params.ref, params.argument.name, params.argument.value, None))

    def _link(self, context: Any) -> Callable[[], Any]:
        """Gives the link that a request is about; nothing is started for it."""
        entry = self._entry_of(context)
        caller = Caller(context)

        async def opened() -> Link:
            return await entry.connecting.open(None, caller, [], start=False)

        return opened
