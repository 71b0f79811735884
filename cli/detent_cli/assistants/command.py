"""The command that an entry starts, written so that it will start."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

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
        if _depends_on_detent(project):
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
    """Whether the project says that it needs detent, at least for its development, or locks it."""
    project_table = _read(project / "pyproject.toml")
    about = _table(project_table, "project")
    groups = [*_table(about, "optional-dependencies").values(), *_table(project_table, "dependency-groups").values()]
    wanted = [each for group in (about.get("dependencies"), *groups) if isinstance(group, list) for each in group]
    if any(re.match(r"\s*detent\s*(?:$|[\[<>=!~;@ ])", str(each), re.IGNORECASE) for each in wanted):
        return True
    if not (project / "uv.lock").is_file():
        return False
    locked = _read(project / "uv.lock").get("package")
    # One that says nothing of packages is none that detent is missing from.
    return not isinstance(locked, list) or any(
        isinstance(each, dict) and each.get("name") == "detent" for each in locked
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _table(table: dict[str, Any], name: str) -> dict[str, Any]:
    found = table.get(name)
    return found if isinstance(found, dict) else {}
