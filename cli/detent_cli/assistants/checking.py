"""Whether what assistants start is still there, still this version, and for a project that is still there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from detent import __version__
from detent.config import Config
from detent.doctor.finding import Finding, failed, good, warning
from detent.errors import DetentError
from detent_cli.assistants.clients import clients
from detent_cli.assistants.installing import Target, target, unread_for
from detent_cli.assistants.places import here

__all__ = ["check_assistants"]

_CHECK = "assistants.entry"


def check_assistants(config: Config) -> Iterator[Finding]:
    """The entries of detent in the settings of all assistants; a file that cannot be read is told, too."""
    system = here()
    seen: set[tuple[Path, tuple[str, ...]]] = set()
    for client in clients():
        for scope in client.scopes:
            path = client.file(scope, system, config.root)
            if path is None or not path.is_file():
                continue
            place = target(client, scope, system, config.root)
            if (place.path, place.keys) in seen:
                continue
            seen.add((place.path, place.keys))
            try:
                file = place.read()
                entry = file.get(place.keys)
            except DetentError as error:
                advice = f"mend the file; {client.name} cannot read it either"
                yield warning("assistants.file", error.message, advice)
                continue
            if isinstance(entry, dict):
                unread = unread_for(place, file)
                if unread is not None:
                    yield warning("assistants.file", f"{place.path}: {unread}", "take them out of the file")
                yield _finding(place, entry)


def _finding(place: Target, entry: dict[str, Any]) -> Finding:
    words = _words(entry)
    about = f"{place.client.name} ({place.scope}, {place.path})"
    again = f"detent install-mcp --client {place.client.id} --scope {place.scope} --yes"
    if not words:
        return failed(_CHECK, f"{about} names no command", again)
    program, *args = words
    if shutil.which(program) is None:
        return failed(_CHECK, f"{about} starts {program}, which is not there", again)
    project = _after("--project", args)
    if project is not None and Path(project).is_absolute() and not Path(project).is_dir():
        return failed(_CHECK, f"{about} is for the project {project}, which is not there", again)
    pinned = _after("--from", args) or ""
    version = pinned.partition("==")[2]
    if version and version != __version__:
        return warning(_CHECK, f"{about} starts detent {version}, this is {__version__}", again)
    return good(_CHECK, f"{about} starts {' '.join(words)}")


def _words(entry: dict[str, Any]) -> list[str]:
    """The program and its arguments, as any client writes them."""
    command = entry.get("command", entry.get("cmd"))
    listed = command if isinstance(command, list) else [command]
    args = entry.get("args", [])
    words = [*listed, *(args if isinstance(args, list) else [])]
    return [word for word in words if isinstance(word, str)]


def _after(flag: str, args: list[str]) -> str | None:
    return next((value for name, value in pairwise(args) if name == flag), None)
