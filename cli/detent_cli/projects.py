"""`detent projects` and `detent environments`."""

from __future__ import annotations

from typing import Annotated

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson
from detent_cli.project import connected

__all__ = ["app", "environments"]

Project = Annotated[
    str | None, typer.Option("--project", metavar="SLUG", help="The project; the one of this key unless given.")
]

app = new_app("Projects of a server: each has environments of its own.")
environments = new_app("Environments: dev, staging, prod, and previews of branches.")


@app.command("list", short_help="The projects in reach.")
def list_projects(as_json: AsJson = False) -> None:
    """The projects in reach of this key."""
    with connected() as client:
        found = client.projects.list()
    if as_json:
        from detent_cli.console import print_json

        print_json({"items": found})
        return
    from detent_cli.account_pages import print_projects

    print_projects(found)


@app.command("create", short_help="Make a project with its environments.")
def create_project(
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="Lower-case letters, digits and dashes.")],
    *,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="For people; the slug unless set.")] = None,
    org: Annotated[
        str | None, typer.Option("--org", metavar="SLUG", help="The organisation; yours unless set.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a project with the environments dev, staging and prod."""
    with connected() as client:
        made = client.projects.create(slug, name=name, organization=org)
    if as_json:
        from detent_cli.console import print_json

        print_json(made)
        return
    typer.echo(made.slug)
    typer.echo(f"Use it with: detent --project-slug {made.slug} COMMAND", err=True)


@app.command("show", short_help="One project with its environments.")
def show_project(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="Slug or id.")], as_json: AsJson = False
) -> None:
    """One project with its environments."""
    with connected() as client:
        found = client.projects.retrieve(project)
    if as_json:
        from detent_cli.console import print_json

        print_json(found)
        return
    from detent_cli.account_pages import print_environments, print_projects

    print_projects([found])
    typer.echo()
    print_environments(found.environments)


@environments.command("list", short_help="The environments of a project.")
def list_environments(
    project: Project = None,
    archived: Annotated[
        bool, typer.Option("--archived/--no-archived", help="Whether to show those that are archived.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """The environments of a project."""
    with connected() as client:
        found = client.environments.list(project=project, archived=archived)
    if as_json:
        from detent_cli.console import print_json

        print_json({"items": found})
        return
    from detent_cli.account_pages import print_environments

    print_environments(found)


@environments.command("create", short_help="Make the preview environment of a branch.")
def create_environment(
    branch: Annotated[str, typer.Argument(metavar="BRANCH", help="The environment is preview/BRANCH.")],
    *,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Make the preview environment of a branch, with a key of its own, or bring it back; the one that is there already
    where the branch has one."""
    with connected() as client:
        made = client.environments.create(branch, project=project)
    if as_json:
        from detent_cli.console import print_json

        print_json(made)
        return
    from detent_cli.preview import tell_new_environment

    typer.echo(made.name)
    tell_new_environment(made, secret=True)


@environments.command("archive", short_help="Archive a preview environment.")
def archive_environment(
    environment: Annotated[str, typer.Argument(metavar="NAME", help="preview/BRANCH, or its id.")],
    as_json: AsJson = False,
) -> None:
    """Archive a preview environment: its keys are refused from then on, nothing is triggered any more, its unfinished
    runs are cancelled. What is kept of it stays."""
    with connected() as client:
        gone = client.environments.archive(environment)
    if as_json:
        from detent_cli.console import print_json

        print_json(gone)
    else:
        typer.echo(f"{gone.name} is archived; {gone.canceled_runs:,} unfinished runs cancelled.", err=True)
