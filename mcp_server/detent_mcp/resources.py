"""What clients can read by address: ``run://ID``, ``task://ID``, ``docs://PAGE``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from detent.errors import DetentError, NotFound

from .results import encode, fit

if TYPE_CHECKING:
    from .call import Call

__all__ = ["list_resources", "list_templates", "read_resource", "run_of"]

_MARKDOWN, _JSON = "text/markdown", "application/json"
_TEMPLATES = (
    ("run://{id}", "run", "A run: status, error, payload, output, trace. Subscribe to hear of its changes.", _JSON),
    ("task://{id}", "task", "A task: its payload schema and an example payload.", _JSON),
    ("docs://{page}", "docs", "A page of the documentation of this version; page#section for a part.", _MARKDOWN),
)


def run_of(uri: str) -> str | None:
    """The id of the run that an address is about; None for another address."""
    scheme, _, rest = uri.partition("://")
    return unquote(rest).strip("/") or None if scheme == "run" else None


async def list_resources() -> ListResourcesResult:
    """The pages of the documentation. Runs and tasks are found by the tools, and by completion."""
    from .docs_index import shipped_docs

    index = await asyncio.to_thread(shipped_docs)
    listed = [
        Resource(
            uri=f"docs://{page.id}", name=page.id, title=page.title, description=page.summary[:140], mime_type=_MARKDOWN
        )
        for page in index.pages.values()
    ]
    return ListResourcesResult(resources=listed)


async def list_templates() -> ListResourceTemplatesResult:
    """The forms of addresses."""
    made = [
        ResourceTemplate(uri_template=form, name=name, description=about, mime_type=kind)
        for form, name, about, kind in _TEMPLATES
    ]
    return ListResourceTemplatesResult(resource_templates=made)


async def read_resource(uri: str, call: Callable[[], Awaitable[Call]]) -> ReadResourceResult:
    """What stands at an address.

    Parameters:
      call: gives a connected call, for what has to be asked of the server.

    Errors: `MCPError` for what is not there, and what cannot be asked.
    """
    scheme, _, rest = uri.partition("://")
    name = unquote(rest).strip("/")
    try:
        if scheme == "docs":
            text, kind = await asyncio.to_thread(_page, name), _MARKDOWN
        elif scheme in {"run", "task"} and name:
            text, kind = encode(fit(await _asked(await call(), scheme, name))), _JSON
        else:
            forms = ", ".join(form for form, *_ in _TEMPLATES)
            raise MCPError(INVALID_PARAMS, f"no resource {uri!r}; there are {forms}", {"uri": uri})
    except NotFound as error:
        raise MCPError(INVALID_PARAMS, error.message, {"uri": uri}) from None
    except DetentError as error:
        following = getattr(error, "next", None)
        raise MCPError(INTERNAL_ERROR, f"{error.message}. {following}" if following else error.message) from None
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=kind, text=text)])


def _page(name: str) -> str:
    from .docs_index import shipped_docs
    from .docs_sections import Page

    index = shipped_docs()
    found = index.find(name)
    return found.text if isinstance(found, Page) else index.within(found)


async def _asked(call: Call, scheme: str, name: str) -> dict[str, Any]:
    from .tools.run_details import get_run_details
    from .tools.tasks import get_current_worker

    if scheme == "run":
        return await get_run_details.handler(call, run=name)
    return await get_current_worker.handler(call, task=name)
