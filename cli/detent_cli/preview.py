"""`detent preview`: isolated environments of branches."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson
from detent_cli.project import connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detent.client import Detent
    from detent.model.account_views import Archived, NewEnvironment

__all__ = ["app", "tell_new_environment"]

Branch = Annotated[
    str | None,
    typer.Option("--branch", "-b", metavar="BRANCH", help="The git branch; the one that is checked out unless given."),
]

app = new_app("Previews: an isolated environment for each branch. Deploy to one with: detent deploy --env preview")


@app.command("list", short_help="The previews of the project.")
def list_previews(
    *,
    archived: Annotated[bool, typer.Option("--archived", help="Also those that are archived.")] = False,
    as_json: AsJson = False,
) -> None:
    """The previews of the project, each with its branch."""
    with _of_project() as client:
        found = [env for env in client.environments.list(archived=archived) if env.branch is not None]
    if as_json:
        from detent_cli.console import print_json

        print_json({"items": found})
        return
    from detent_cli.account_pages import print_environments

    print_environments(found)
    if not found:
        typer.echo("No previews yet. Deploy one with: detent deploy --env preview", err=True)


@app.command("create", short_help="Make the preview of a branch, with a key of its own.")
def create_preview(
    *,
    branch: Branch = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the secret of its key and nothing else.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the environment preview/BRANCH, and print the secret of its key, which is shown this once. An archived one
    is brought back; one that is there stays as it is.

    DETENT_SECRET_KEY=$(detent preview create --branch feature/login -q)
    """
    from detent.deploy.previews import branch_to_preview

    named = branch_to_preview(_root(), branch)
    with _of_project() as client:
        made = client.environments.create(named)
    if as_json:
        from detent_cli.console import print_json

        print_json(made)
        return
    if not quiet:
        typer.echo(made.name)
        tell_new_environment(made, secret=False)
    if made.key is not None:
        typer.echo(made.key.secret)
    if not quiet and made.key is not None:
        typer.echo(f"{made.key.id} for {made.name}. Keep the secret now: it is not shown again.", err=True)
    if made.key is None:
        typer.echo(f"It keeps the keys that it has; for another one: detent keys create --env {made.name}", err=True)


@app.command("archive", short_help="Archive the preview of a branch, or those whose branch is gone.")
def archive_preview(
    *,
    branch: Branch = None,
    gone: Annotated[
        bool, typer.Option("--gone", help="All whose branch exists neither in this repository nor at its remotes.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Archive a preview: its keys are refused, nothing is triggered any more, its unfinished runs are cancelled. What
    is kept of it stays, and deploying the branch again brings it back.

    detent preview archive --branch feature/login

    detent preview archive --gone --yes
    """
    from detent.errors import InvalidOptions

    if gone and branch is not None:
        raise InvalidOptions("--gone and --branch are two ways to say which; choose one")
    with _of_project() as client:
        names = _gone(client) if gone else [_named(client, branch)]
        if not names:
            if as_json:
                from detent_cli.console import print_json

                print_json({"items": []})
            else:
                typer.echo("No preview is of a branch that is gone.", err=True)
            return
        _agree(names, yes or (branch is not None and not gone))
        done = [client.environments.archive(name) for name in names]
    _tell_archived(done, as_json)


def tell_new_environment(made: NewEnvironment, *, secret: bool) -> None:
    """Say on standard error that an environment was made, or brought back.

    Parameters:
      secret: show the key's secret as well, where a person looks on and nobody keeps a log.
    """
    from detent_cli.console import clean

    name = clean(made.name)
    if made.returned:
        typer.echo(f"{name} was archived, and is back with its keys and variables.", err=True)
    elif made.created:
        typer.echo(f"{name} is new. Declared schedules are off in it.", err=True)
    if not secret or made.key is None:
        return
    if sys.stderr.isatty():
        typer.echo(f"Its key, shown this once: {made.key.secret}", err=True)
    else:
        typer.echo(f"Its key is {made.key.id}; for a secret: detent keys rotate {made.key.id}", err=True)


@contextmanager
def _of_project() -> Iterator[Detent]:
    """A client of the project: a preview that `--env` names may be archived, or not be there yet."""
    named = os.environ.get("DETENT_ENVIRONMENT", "")
    is_preview = named.partition("/")[0] == "preview"
    if is_preview:
        del os.environ["DETENT_ENVIRONMENT"]
    try:
        with connected() as client:
            yield client
    finally:
        if is_preview:
            os.environ["DETENT_ENVIRONMENT"] = named


def _root() -> Path:
    from detent.config import load_config

    return load_config().root


def _named(client: Detent, branch: str | None) -> str:
    """The environment of a branch. What is archived already may be archived again: that does what was left."""
    from detent.deploy.previews import branch_to_preview
    from detent.errors import NotFound, near_names
    from detent.model.branches import preview_name

    name = preview_name(branch_to_preview(_root(), branch))
    known = [env.name for env in client.environments.list() if env.branch is not None]
    if name not in known:
        raise NotFound(f"{near_names('preview', name, known)}; list them with `detent preview list`")
    return name


def _gone(client: Detent) -> list[str]:
    from detent.deploy.previews import gone_branches
    from detent.model.branches import preview_name

    there = [env.branch for env in client.environments.list(archived=False) if env.branch is not None]
    return [preview_name(branch) for branch in gone_branches(_root(), there)]


def _agree(names: list[str], agreed: bool) -> None:
    """Errors: `InvalidOptions` where nobody can be asked; the command ends where they say no."""
    if agreed:
        return
    from detent.errors import InvalidOptions
    from detent_cli.console import clean

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InvalidOptions(f"nobody can be asked here whether to archive {', '.join(names)}; say --yes")
    for name in names:
        typer.echo(f"  {clean(name)}", err=True)
    if not typer.confirm("Archive, and cancel what is unfinished there?", err=True):
        raise typer.Exit(1)


def _tell_archived(done: list[Archived], as_json: bool) -> None:
    if as_json:
        from detent_cli.console import print_json

        print_json({"items": done})
        return
    from detent_cli.console import clean

    for each in done:
        count = each.canceled_runs
        runs = "" if not count else f", {count:,} unfinished {'run' if count == 1 else 'runs'} cancelled"
        typer.echo(f"{clean(each.name)} is archived{runs}.", err=True)
