"""`detent mcp`: the MCP server for assistants, over standard input and output."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["mcp"]


def mcp(
    *,
    toolsets: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...", help="Groups of tools: core (unless set), bulk, env, query, alerts, admin, all."
        ),
    ] = None,
    tools: Annotated[list[str] | None, typer.Option(metavar="NAME,...", help="Further tools, by name.")] = None,
    exclude_tools: Annotated[
        list[str] | None, typer.Option("--exclude-tools", metavar="NAME,...", help="Tools that are left out.")
    ] = None,
    readonly: Annotated[
        bool, typer.Option("--readonly", help="Only tools that change nothing and start nothing.")
    ] = False,
    dev_only: Annotated[bool, typer.Option("--dev-only", help="Only the environment dev.")] = False,
    project: Annotated[
        str | None,
        typer.Option(metavar="DIR|SLUG", help="The project: its folder, or its slug on a server that has several."),
    ] = None,
    env: Annotated[str | None, typer.Option("--env", metavar="NAME", help="The environment: dev unless set.")] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="The server to speak to, see `detent login`.")
    ] = None,
    api_url: Annotated[
        str | None, typer.Option("--api-url", metavar="URL", help="A server; its key is in DETENT_SECRET_KEY.")
    ] = None,
    log_file: Annotated[
        Path | None, typer.Option("--log-file", metavar="FILE", help="Note each call here, one JSON object a line.")
    ] = None,
    no_start: Annotated[
        bool, typer.Option("--no-start", help="Never start the dev server of a project when none runs.")
    ] = False,
) -> None:
    """Serve assistants (Claude Code, Cursor, Codex ...) over standard input and output, until the client leaves.

    Assistants start it themselves; see docs/mcp.md for their settings.
    """
    from detent_mcp.stdio import serve, take_wire

    if sys.stdin.isatty():
        sys.stderr.write("Speaking MCP over standard input and output. Assistants start this themselves: docs/mcp.md\n")
    wire = take_wire()
    from detent_cli.remote import remote
    from detent_mcp.settings import Settings

    slug = None
    if project is not None:
        if Path(project).is_dir():
            os.environ["DETENT_PROJECT_DIR"] = str(Path(project).resolve())
        elif os.sep in project or project in (".", ".."):
            raise typer.BadParameter(f"--project {project}: there is no such folder")
        else:
            slug = project
    if profile is not None:
        os.environ["DETENT_PROFILE"] = profile
    settings = Settings(
        toolsets=_names(toolsets) or ("core",),
        tools=_names(tools),
        exclude_tools=_names(exclude_tools),
        readonly=readonly,
        dev_only=dev_only,
        start=not no_start,
        log_file=log_file,
        project=slug,
        environment=env,
        profile=profile,
        api_url=api_url,
    )
    serve(settings, wire, remote)


def _names(options: list[str] | None) -> tuple[str, ...]:
    return tuple(name.strip() for option in options or () for name in option.split(",") if name.strip())
