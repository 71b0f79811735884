"""`detent deploys`: the deployments of an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson
from detent_cli.project import connected
from detent_cli.target import Branch, Env, Prod, aim, look_at

if TYPE_CHECKING:
    from detent.client import Detent
    from detent.model.deployment_views import DeploymentPage

__all__ = ["app"]

PAGE = 100

Version = Annotated[str, typer.Argument(metavar="VERSION", help="Such as 20261122.1, dep_…, current or latest.")]

app = new_app("Deployments: the versions of an environment, their logs and states.")


@app.command("list", short_help="Deployments, newest first.")
def list_deployments(
    *,
    env: Env = None,
    prod: Prod = False,
    branch: Branch = None,
    status: Annotated[
        list[str] | None, typer.Option(metavar="STATUS", help="Those in this state, such as FAILED.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Deployments to show.")] = 20,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Where the page before ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """Deployments, newest first; the current one has a star.

    detent deploys list --env prod
    """
    from detent.model.deployment_views import DeploymentPage

    look_at(env, prod, branch)
    with connected() as client:
        page = _longer(client, DeploymentPage(items=[], next_cursor=cursor), limit, status)
        while len(page.items) < limit and page.next_cursor is not None:
            page = _longer(client, page, limit, status)
    if as_json:
        from detent_cli.console import print_json

        print_json(page)
        return
    from detent_cli.deployment_pages import print_deployments

    print_deployments(page)
    if not page.items:
        told = (
            "No deployment fits."
            if status or cursor
            else "Nothing was deployed to this environment yet. Another one: detent deploys list --env prod"
        )
        typer.echo(told, err=True)
    elif page.next_cursor is not None:
        typer.echo(f"There are more: --cursor {page.next_cursor}", err=True)


def _longer(client: Detent, page: DeploymentPage, limit: int, status: list[str] | None) -> DeploymentPage:
    """`page` and the one that follows it, at most `limit` deployments."""
    most = min(PAGE, limit - len(page.items))
    following = client.deployments.list(status=status, limit=most, cursor=page.next_cursor).page()
    return following.model_copy(update={"items": [*page.items, *following.items]})


@app.command("get", short_help="One deployment: what is in it, how it stands.")
def get_deployment(
    version: Version = "current",
    *,
    env: Env = None,
    prod: Prod = False,
    branch: Branch = None,
    as_json: AsJson = False,
) -> None:
    """One deployment, the current one unless a version is given: its state, commit, tasks, workers and runs."""
    look_at(env, prod, branch)
    with connected() as client:
        found = client.deployments.retrieve(version)
    if as_json:
        from detent_cli.console import print_json

        print_json(found)
        return
    from detent_cli.deployment_pages import print_deployment

    print_deployment(found)


@app.command("log", short_help="What was said while it was built.")
def show_log(
    version: Version = "latest",
    *,
    env: Env = None,
    prod: Prod = False,
    branch: Branch = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """The log of a deployment, of the latest one unless a version is given. With --follow --json: an object a line."""
    look_at(env, prod, branch)
    from detent_cli.console import clean, print_json

    with connected() as client:
        if follow:
            for line in client.deployments.follow_log(version):
                if as_json:
                    print_json(line, None)
                else:
                    typer.echo(clean(line.text))
            return
        found = client.deployments.log(version)
        while found.next_after is not None:
            more = client.deployments.log(version, after=found.next_after)
            found = more.model_copy(update={"items": [*found.items, *more.items]})
    if as_json:
        print_json(found)
        return
    for line in found.items:
        typer.echo(clean(line.text))
    if not found.items:
        typer.echo("It has no log.", err=True)


@app.command("cancel", short_help="Give up a deployment that is under way.")
def cancel_deployment(
    version: Version, *, env: Env = None, prod: Prod = False, branch: Branch = None, as_json: AsJson = False
) -> None:
    """Give up a deployment that is under way; the environment stays as it is."""
    aim(f"detent deploys cancel {version}", env, prod, branch)
    with connected() as client:
        was = client.deployments.retrieve(version).status
        done = client.deployments.cancel(version)
    if as_json:
        from detent_cli.console import print_json

        print_json(done)
    elif was in ("PENDING", "BUILDING", "DEPLOYING"):
        typer.echo(f"{done.version} is {done.status}")
    else:
        typer.echo(f"{done.version} had ended before: it is {done.status}", err=True)
