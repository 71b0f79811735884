"""`detent init`: make a folder a project. Asks in a terminal; `--yes` takes the usual answers."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detent.connected_folder import connect_folder
from detent.errors import InvalidOptions
from detent.scaffold import Change, Choices, add_command, initialise, usual_choices
from detent_cli.init_offers import do_offers, take_offers
from detent_cli.init_remote import Wanted, ask_for_remote, initialised, server_in_use

if TYPE_CHECKING:
    from detent.model.account_views import InitializedProject

__all__ = ["ask", "init"]


def init(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="The project's folder; it is made when it does not exist."),
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take the usual answers.")] = False,
    project: Annotated[
        str | None, typer.Option("--project", metavar="SLUG", help="Connect it with this project of the server in use.")
    ] = None,
    create_project: Annotated[
        str | None,
        typer.Option(
            "--create-project", metavar="NAME", help="Connect it with this project, which is made if it is not there."
        ),
    ] = None,
    no_remote: Annotated[bool, typer.Option("--no-remote", help="Connect it with no server.")] = False,
    mcp: Annotated[bool, typer.Option("--mcp", help="Connect all assistants that are here: install-mcp.")] = False,
    skills: Annotated[bool, typer.Option("--skills", help="Add the skills for assistants: skills add.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="Add the usual rules for assistants: install-rules.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the changes as JSON; needs --yes.")] = False,
) -> None:
    """Make a folder a project: settings, an example task, an ignore entry. Never overwrites. In a terminal it offers to
    connect the folder with a project of the server that you are logged in to, and your assistants with detent.
    """
    root = path or Path(os.environ.get("DETENT_PROJECT_DIR") or ".")
    wanted = Wanted.of(project, create_project)
    if no_remote and wanted is not None:
        raise InvalidOptions("--no-remote and a project of a server exclude each other; leave one of them out")
    choices = usual_choices(root)
    if not yes:
        if json or not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise typer.BadParameter(
                "detent init asks questions, and nobody can answer here; run: detent init --yes", param_hint="--yes"
            )
        choices = ask(choices)
        server = None if no_remote or wanted is not None else server_in_use()
        if server is not None:
            wanted = ask_for_remote(server, choices.project)
    # A server that refuses leaves the folder as it was.
    told = None if wanted is None else initialised(wanted)
    if told is not None:
        choices = replace(choices, project=told.project.slug)
    changes = initialise(root, choices)
    if told is not None:
        connected = connect_folder(root, told.project.slug)
        if connected.action != "kept":
            changes = [*(change for change in changes if change.path != connected.path), connected]
    following = _next_commands(root)
    taken = [name for name, given in (("mcp", mcp), ("skills", skills), ("rules", rules)) if given]
    if json:
        with redirect_stdout(sys.stderr):
            left = do_offers(root, taken)
        _print_json(root, choices, changes, [*following, *left], told)
    else:
        _print_for_people(root, changes, told)
        left = do_offers(root, taken)
        later = [] if yes else take_offers(root, taken)
        typer.echo("\nNext:")
        for command in [*following, *left, *later]:
            typer.echo(f"  {command}")
    if left:
        raise typer.Exit(1)


def ask(usual: Choices) -> Choices:
    """The user's answers; an empty one takes the usual."""
    project = typer.prompt("Name of the project", default=usual.project)
    tasks_dir = typer.prompt("Folder for tasks", default=usual.tasks_dir)
    example = typer.confirm("Add an example task?", default=usual.example)
    return Choices(project=project, tasks_dir=tasks_dir, example=example)


def _next_commands(root: Path) -> list[str]:
    enter = [] if root.resolve() == Path.cwd() else [f"cd {root}"]
    add = add_command(root)
    return [*enter, *([add] if add else []), "detent dev"]


def _print_json(
    root: Path, choices: Choices, changes: list[Change], following: list[str], told: InitializedProject | None
) -> None:
    from json import dumps

    typer.echo(
        dumps(
            {
                "root": str(root.resolve()),
                "project": choices.project,
                "changes": [
                    {"path": str(change.path), "action": change.action, "note": change.note} for change in changes
                ],
                "remote": None if told is None else told.model_dump(mode="json"),
                "next": following,
            },
            indent=2,
        )
    )


def _print_for_people(root: Path, changes: list[Change], told: InitializedProject | None) -> None:
    for change in changes:
        shown = change.path.relative_to(root) if change.path.is_relative_to(root) else change.path
        typer.echo(f"{change.action:8} {shown}  ({change.note})")
    if told is not None:
        made = "made" if told.created else "there already"
        where = server_in_use() or told.api_url
        typer.echo(f"{'remote':8} {told.project.slug} of {where}  ({made}; for keys: {told.keys_with})")
