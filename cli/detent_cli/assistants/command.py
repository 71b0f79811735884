"""The command that an entry starts, written so that it will start."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

__all__ = ["Command", "command_for"]


class Command(NamedTuple):
    """A program and its arguments."""

    program: str
    args: list[str]


def command_for(scope: str, project: Path, options: list[str]) -> Command:
    """How the MCP server is started.

    Parameters:
      scope: files of a ``project`` are for all who work on it, so they name no place of this machine: the project's own
        detent by uv where it has one, else the same version by uvx. Elsewhere it is the very program of this
        detent: assistants with windows have a short PATH.
      options: of ``detent mcp``.
    """
    if scope == "project":
        if (project / "uv.lock").is_file() or _depends_on_detent(project):
            return Command("uv", ["run", "detent", "mcp", *options])
        return Command("uvx", ["--from", f"detent=={version('detent')}", "detent", "mcp", *options])
    program = _console_script()
    if program is not None:
        return Command(program, ["mcp", *options])
    return Command(sys.executable, ["-m", "detent_cli", "mcp", *options])


def _console_script() -> str | None:
    beside = Path(sys.executable).with_name("detent.exe" if sys.platform == "win32" else "detent")
    if beside.is_file():
        return str(beside)
    found = shutil.which("detent")
    return None if found is None else str(Path(found).absolute())


def _depends_on_detent(project: Path) -> bool:
    """Whether the project says that it needs detent."""
    try:
        table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    wanted = list(table.get("project", {}).get("dependencies", []))
    return any(re.match(r"\s*detent\s*(?:$|[\[<>=!~;@ ])", str(each), re.IGNORECASE) for each in wanted)
