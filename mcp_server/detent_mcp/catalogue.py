"""All tools, and which of them a server shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from detent.errors import InvalidOptions, near_names

from .settings import TOOLSETS, Settings
from .tool import Tool

__all__ = ["all_tools", "check_names", "chosen"]

#: In the order in which tools are listed.
MODULES = (
    "docs",
    "projects",
    "initialize",
    "tasks",
    "triggering",
    "runs",
    "waiting",
    "run_details",
    "diagnosis",
    "run_changes",
    "logs",
    "report",
    "deploying",
    "deploys",
    "queues",
    "waitpoints",
    "schedules",
    "dev_server",
    "bulk",
    "variables",
    "query",
    "alerts",
    "admin",
)

_tools: list[Tool] = []


def all_tools() -> Sequence[Tool]:
    """Every tool there is; one that stands in for another has its name."""
    if not _tools:
        for name in MODULES:
            module = import_module(f".tools.{name}", __package__)
            _tools.extend(found for found in vars(module).values() if isinstance(found, Tool))
    return _tools


def check_names(settings: Settings) -> None:
    """Errors: `InvalidOptions` for toolsets and tools that are not there, with near names."""
    for name in settings.toolsets:
        if name not in (*TOOLSETS, "all"):
            raise InvalidOptions(f"--toolsets: {near_names('toolset', name, [*TOOLSETS, 'all'])}")
    known = sorted({tool.name for tool in all_tools()})
    for option, names in (("--tools", settings.tools), ("--exclude-tools", settings.exclude_tools)):
        for name in names:
            if name not in known:
                raise InvalidOptions(f"{option}: {near_names('tool', name, known)}")


def chosen(
    settings: Settings, may: Callable[[str], bool] = lambda _scope: True, *, here: bool = True
) -> dict[str, Tool]:
    """The tools that are shown, by name.

    Parameters:
      may: whether the key allows a scope. `here`: whether the client's files are on this machine.
    """
    found: dict[str, Tool] = {}
    for tool in all_tools():
        wanted = "all" in settings.toolsets or tool.toolset in settings.toolsets or tool.name in settings.tools
        if not wanted or tool.name in settings.exclude_tools:
            continue
        if (settings.readonly and not tool.reads) or (tool.here and not here):
            continue
        if (settings.dev_only and not tool.only_dev) or (tool.needs != "any" and not may(tool.needs)):
            continue
        known = found.get(tool.name)
        if known is None or known.stands_in:
            found[tool.name] = tool
    return found
