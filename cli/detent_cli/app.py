"""The root of the command: its own options, and the names of all commands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.main import get_command

from detent_cli.lazy import LazyCommand, LazyGroup, new_app, register

if TYPE_CHECKING:
    from typer._click import Command

__all__ = ["COMMANDS", "make_command"]

HELP = """Durable background runs for Python AI applications.

Begin with: detent init, detent dev, detent tasks trigger hello --wait
"""

COMMANDS = {
    "init": LazyCommand("detent_cli.init", "init", "Make a folder a project."),
    "dev": LazyCommand("detent_cli.dev", "dev", "Run server and workers here, and reload when files change."),
    "demo": LazyCommand("detent_cli.speech", "demo", "Turn a long text into one MP3, to see it all work."),
    "tts": LazyCommand("detent_cli.speech", "tts", "Turn a text of yours into one MP3."),
    "tasks": LazyCommand("detent_cli.tasks", "app", "List tasks, show one, trigger one."),
    "runs": LazyCommand("detent_cli.runs", "app", "Find runs, look into them, wait for them, cancel them."),
    "batches": LazyCommand("detent_cli.batches", "app", "Batches: runs that were triggered together."),
    "queues": LazyCommand("detent_cli.queues", "app", "Queues: their limits, what executes, what waits."),
    "schedules": LazyCommand("detent_cli.schedules", "app", "Schedules: tasks that run by the clock."),
    "tokens": LazyCommand("detent_cli.tokens", "app", "Tokens: what runs wait for, and completing it."),
    "deploy": LazyCommand("detent_cli.deploy", "app", "Bring the project to an environment, as a new version."),
    "promote": LazyCommand("detent_cli.promote", "promote", "Make a deployed version the current one."),
    "rollback": LazyCommand("detent_cli.promote", "rollback", "Make the version before the current one current again."),
    "deploys": LazyCommand("detent_cli.deployments", "app", "Deployments: their versions, logs and states."),
    "deployments": LazyCommand("detent_cli.deployments", "app", "The same as deploys."),
    "errors": LazyCommand("detent_cli.errors", "app", "Errors: failed runs in groups, resolving and ignoring them."),
    "logs": LazyCommand("detent_cli.logs", "logs", "What runs wrote, over all runs."),
    "env": LazyCommand("detent_cli.env", "app", "Environment variables: secrets and settings of workers."),
    "install-mcp": LazyCommand("detent_cli.install_mcp", "install_mcp", "Connect assistants to detent."),
    "uninstall-mcp": LazyCommand("detent_cli.install_mcp", "uninstall_mcp", "Disconnect them."),
    "skills": LazyCommand("detent_cli.skills", "app", "Skills for assistants: what they know of detent."),
    "install-rules": LazyCommand("detent_cli.install_rules", "app", "Rules for assistants, in the files of a project."),
    "doctor": LazyCommand("detent_cli.doctor", "doctor", "What is wrong here, and what to do about it."),
    "report": LazyCommand("detent_cli.report", "report", "Whether work flows, and whose a problem is."),
    "query": LazyCommand("detent_cli.query", "query", "Read-only SQL over runs, attempts, spans and logs."),
    "alerts": LazyCommand("detent_cli.alerts", "app", "Alerts: who is told of what, and how the messages fare."),
    "keys": LazyCommand("detent_cli.keys", "app", "Keys of environments and people."),
    "projects": LazyCommand("detent_cli.projects", "app", "Projects of a server."),
    "environments": LazyCommand("detent_cli.projects", "environments", "dev, staging, prod and previews."),
    "preview": LazyCommand("detent_cli.preview", "app", "Previews: an isolated environment for each branch."),
    "people": LazyCommand("detent_cli.people", "app", "People of the organisation, and their roles."),
    "login": LazyCommand("detent_cli.login", "login", "Log in to a server, or let another device log in."),
    "whoami": LazyCommand("detent_cli.whoami", "whoami", "Whose key is used, and for what."),
    "logout": LazyCommand("detent_cli.whoami", "logout", "Forget the key of a server."),
    "switch": LazyCommand("detent_cli.whoami", "switch", "Speak to another server from now on."),
    "list-profiles": LazyCommand("detent_cli.whoami", "list_profiles", "The servers that you are logged in to."),
    "migrate": LazyCommand("detent_cli.migrate", "migrate", "The present schema; everything into another database."),
    "server": LazyCommand("detent_cli.dev", "server", "Run the server alone."),
    "worker": LazyCommand("detent_cli.dev", "worker", "Run workers alone."),
    "mcp": LazyCommand("detent_cli.mcp", "mcp", "Serve assistants: the MCP server."),
}


def make_command() -> Command:
    """The whole command; those below it are imported when they are called."""
    app = new_app(HELP, cls=LazyGroup, add_completion=True)
    app.callback()(root)
    register(app, COMMANDS)
    return get_command(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from detent import __version__

        typer.echo(f"detent {__version__}")
        raise typer.Exit()


def root(
    project: Annotated[
        Path | None,
        typer.Option(
            "--project",
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="The project's folder, when it is not the one you are in.",
        ),
    ] = None,
    env: Annotated[
        str | None,
        typer.Option("--env", metavar="NAME", help="The environment: dev unless set, staging, prod, preview/BRANCH."),
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="The server to speak to, see `detent login`.")
    ] = None,
    project_slug: Annotated[
        str | None, typer.Option("--project-slug", metavar="SLUG", help="The project on a server that has several.")
    ] = None,
    version: Annotated[  # noqa: ARG001  # its callback does it
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """The options that stand before the name of a command."""
    if project is not None:
        os.environ["DETENT_PROJECT_DIR"] = str(project.resolve())
    given = {"DETENT_ENVIRONMENT": env, "DETENT_PROFILE": profile, "DETENT_PROJECT": project_slug}
    os.environ.update({name: value for name, value in given.items() if value is not None})
