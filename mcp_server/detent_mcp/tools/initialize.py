"""Making a folder a project, as `detent init` does."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from ..call import Call
from ..connection import Connection
from ..refusals import Refusal
from ..tool import tool

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
) -> dict[str, Any]:
    from detent.scaffold import Choices, add_command, initialise, usual_choices

    root = _named(folder) if folder is not None else await asyncio.to_thread(_usual, call, await call.caller.roots())
    usual = await asyncio.to_thread(usual_choices, root)
    choices = Choices(name or usual.project, tasks_dir or usual.tasks_dir, example)
    changes = await asyncio.to_thread(initialise, root, choices)
    if isinstance(call.connecting, Connection):
        call.connecting.settle(root)
    add = add_command(root)
    steps = [f"run `{add}` in {root}"] if add else []
    steps += ['dev_server(action="start")', "get_current_worker()", 'search_docs("write a task")']
    return {
        "project": choices.project,
        "folder": str(root),
        "changes": [f"{each.action} {_within(each.path, root)}: {each.note}" for each in changes],
        "next": ", then ".join(steps),
    }


def _named(folder: str) -> Path:
    path = Path(folder).expanduser()
    if not path.is_absolute():
        raise Refusal(
            f"folder must be an absolute path, got {folder!r}: where this server runs may not be where you are",
            code="invalid_arguments",
        )
    return path


def _usual(call: Call, roots: list[str]) -> Path:
    """The folder that is meant when none is named: the project's, the client's, or that of this process."""
    config = call.connecting.folder()
    if config is not None:
        return config.root
    places = [os.environ.get("DETENT_PROJECT_DIR") or ""]
    places += [unquote(parts.path) for parts in map(urlsplit, roots) if parts.scheme == "file"]
    places += [os.environ.get("CLAUDE_PROJECT_DIR") or ""]
    return next((Path(place) for place in places if place and Path(place).is_dir()), Path.cwd())


def _within(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
