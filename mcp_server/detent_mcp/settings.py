"""How much of detent a server shows, and how it may act: what the flags of `detent mcp` say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["TOOLSETS", "Settings"]

#: The groups of tools; `core` is on unless others are named.
TOOLSETS = ("core", "bulk", "env", "query", "alerts", "admin")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server shows and may do.

    Parameters:
      toolsets: groups whose tools are shown, see `TOOLSETS`; ``all`` stands for each of them.
      tools: tools that are shown besides them, by name. `exclude_tools`: those that are not, whatever else says so.
      readonly: nothing that writes, or starts a process, is there.
      dev_only: the environment is dev, and no tool can name another.
      start: whether the dev server of a local project may be started when nothing runs.
      log_file: where each call is noted, with its time and outcome.
      project: a project's slug, where the server has several. `environment`: what calls are about.
      profile: name of the server that one is logged in to. `api_url`: address of a server; its key is in
        ``DETENT_SECRET_KEY``.
    """

    toolsets: tuple[str, ...] = ("core",)
    tools: tuple[str, ...] = ()
    exclude_tools: tuple[str, ...] = ()
    readonly: bool = False
    dev_only: bool = False
    start: bool = True
    log_file: Path | None = None
    project: str | None = None
    environment: str | None = None
    profile: str | None = None
    api_url: str | None = None
