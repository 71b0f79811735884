"""What an argument of a prompt, or a part of an address, can be completed to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mcp_types import Completion, PromptReference, ResourceTemplateReference

if TYPE_CHECKING:
    from .link import Link

__all__ = ["complete", "names_runs"]

#: Values of an answer: the protocol allows no more.
_MOST = 100
_PERIODS = ("1h", "24h", "7d", "30d")
_ENVIRONMENTS = ("dev", "staging", "prod")
_FAILED = ("FAILED", "CRASHED", "TIMED_OUT", "SYSTEM_FAILURE", "EXPIRED")

Reference = PromptReference | ResourceTemplateReference


def names_runs(reference: Reference, argument: str) -> bool:
    """Whether the server has to be asked."""
    return _kind(reference, argument) in {"run", "failed run", "task"}


async def complete(reference: Reference, argument: str, begun: str, link: Link | None) -> Completion:
    """The values that begin with `begun`, or else hold it, the likeliest first.

    Parameters:
      link: to the server; without it nothing that only the server knows is offered.
    """
    found = await _values(_kind(reference, argument), link)
    wanted = begun.lower()
    first = [value for value in found if value.lower().startswith(wanted)]
    values = first + [value for value in found if wanted in value.lower() and value not in first]
    return Completion(values=values[:_MOST], total=len(values), has_more=len(values) > _MOST)


def _kind(reference: Reference, argument: str) -> str:
    if isinstance(reference, ResourceTemplateReference):
        return reference.uri.partition("://")[0]
    if argument == "run":
        return "failed run" if reference.name == "debug_failed_run" else "run"
    return argument


async def _values(kind: str, link: Link | None) -> list[str]:
    if kind == "docs":
        from .docs_index import shipped_docs

        return list((await asyncio.to_thread(shipped_docs)).pages)
    if kind == "period":
        return list(_PERIODS)
    if kind == "environment":
        return list(_ENVIRONMENTS)
    if link is None:
        return []
    if kind == "task":
        return [task["id"] for task in (await link.ask("tasks.list"))["items"]]
    if kind in {"run", "failed run"}:
        status = list(_FAILED) if kind == "failed run" else None
        return [run["id"] for run in (await link.ask("runs.list", limit=_MOST, status=status))["items"]]
    return []
