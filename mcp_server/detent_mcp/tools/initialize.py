"""Making a folder a project, as `detent init` does."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote, urlsplit

from ..call import Call
from ..connection import Connection
from ..refusals import Refusal
from ..tool import tool

if TYPE_CHECKING:
    from ..link import Link

__all__ = ["initialize_project"]


@tool(
    "initialize_project",
    "Make a folder a detent project: settings, an example task, an ignore entry. Overwrites nothing. Use once.",
    title="Initialize project",
    effect="writes",
    about="nothing",
    here=True,
    idempotent=True,
)
async def initialize_project(
    call: Call,
    *,
    folder: Annotated[str | None, "absolute; default: the client's"] = None,
    name: str | None = None,
    tasks_dir: Annotated[str | None, "default tasks"] = None,
    example: bool = True,
    server: Annotated[bool, "make it on the server one is logged in to as well"] = False,
) -> dict[str, Any]:
    from detent.scaffold import Choices, add_command, initialise, usual_choices

    root = _named(folder) if folder is not None else await _usual(call)
    usual = await asyncio.to_thread(usual_choices, root)
    choices = Choices(name or usual.project, tasks_dir or usual.tasks_dir, example)
    changes = await asyncio.to_thread(initialise, root, choices)
    if isinstance(call.connecting, Connection):
        call.connecting.settle(root)
    add = add_command(root)
    steps = [f"run `{add}` in {root}"] if add else []
    steps += ['dev_server(action="start")', "get_current_worker()", 'search_docs("write a task")']
    told: dict[str, Any] = {
        "project": choices.project,
        "folder": str(root),
        "changes": [f"{each.action} {_within(each.path, root)}: {each.note}" for each in changes],
    }
    if server:
        told["server"] = await _on_server(call, choices.project)
    return told | {"next": ", then ".join(steps)}


async def _on_server(call: Call, name: str) -> dict[str, Any]:
    """The project on the server that one is logged in to; it is made when it is not there. No key is asked for: it
    would be shown to the model. Errors: `Refusal` without a server; those of the API."""
    link: Link | None = None
    try:
        link = await call.connecting.open(None, call.caller, call.notes, start=False)
    except Refusal as refusal:
        if refusal.code != "server_unreachable":
            raise
    if link is None or link.folder is not None:
        raise Refusal(
            "the folder is a project now, and there is no server that one is logged in to, at most one of this machine",
            next="ask the user to run `detent login --url URL`, then call again; or leave server out",
            code="not_logged_in",
        )
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64] or "project"
    found = await link.ask("projects.initialize", slug=slug, name=name)
    return {
        "url": link.url,
        "project": found["project"]["slug"],
        "created": found["created"],
        "environments": [each["name"] for each in found["project"]["environments"]],
        "use": f"DETENT_PROJECT={slug}, or `detent mcp --project {slug}`; keys for machines: {found['keys_with']}",
    }


def _named(folder: str) -> Path:
    path = Path(folder).expanduser()
    if not path.is_absolute():
        raise Refusal(
            f"folder must be an absolute path, got {folder!r}: where this server runs may not be where you are",
            code="invalid_arguments",
        )
    return path


async def _usual(call: Call) -> Path:
    """The folder that is meant when none is named: the project's, the client's, or that of this process."""
    config = await asyncio.to_thread(call.connecting.folder)
    if config is not None:
        return config.root
    return await asyncio.to_thread(_without_project, await call.caller.roots())


def _without_project(roots: list[str]) -> Path:
    places = [os.environ.get("DETENT_PROJECT_DIR") or ""]
    places += [unquote(parts.path) for parts in map(urlsplit, roots) if parts.scheme == "file"]
    places += [os.environ.get("CLAUDE_PROJECT_DIR") or ""]
    return next((Path(place) for place in places if place and Path(place).is_dir()), Path.cwd())


def _within(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
