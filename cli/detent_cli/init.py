"""`detent init`: make a folder a project. Asks in a terminal; `--yes` takes the usual answers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from detent.scaffold import Change, Choices, add_command, initialise, usual_choices

__all__ = ["ask", "init"]


def init(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="The project's folder; it is made when it does not exist."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take the usual answers.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the changes as JSON; needs --yes.")] = False,
) -> None:
    """Make a folder a project: settings, an example task, an ignore entry. Never overwrites."""
    root = path or Path(os.environ.get("DETENT_PROJECT_DIR") or ".")
    choices = usual_choices(root)
    if not yes:
        if json or not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise typer.BadParameter(
                "detent init asks questions, and nobody can answer here; run: detent init --yes", param_hint="--yes"
            )
        choices = ask(choices)
    changes = initialise(root, choices)
    following = _next_commands(root)
    if json:
        _print_json(root, choices, changes, following)
    else:
        _print_for_people(root, changes, following)


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


def _print_json(root: Path, choices: Choices, changes: list[Change], following: list[str]) -> None:
    from json import dumps

    typer.echo(
        dumps(
            {
                "root": str(root.resolve()),
                "project": choices.project,
                "changes": [
                    {"path": str(change.path), "action": change.action, "note": change.note} for change in changes
                ],
                "next": following,
            },
            indent=2,
        )
    )


def _print_for_people(root: Path, changes: list[Change], following: list[str]) -> None:
    for change in changes:
        shown = change.path.relative_to(root) if change.path.is_relative_to(root) else change.path
        typer.echo(f"{change.action:8} {shown}  ({change.note})")
    typer.echo("\nNext:")
    for command in following:
        typer.echo(f"  {command}")
