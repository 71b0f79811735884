"""`detent promote` and `detent rollback`: which version takes new runs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from detent_cli.options import AsJson
from detent_cli.project import connected
from detent_cli.target import Branch, Env, Prod, aim

if TYPE_CHECKING:
    from detent.client import Detent
    from detent.model.deployment_views import Deployment

__all__ = ["promote", "rollback"]


def promote(
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="Such as 20261122.1, or dep_…; the newest unless given.")
    ] = None,
    *,
    env: Env = None,
    prod: Prod = False,
    branch: Branch = None,
    as_json: AsJson = False,
) -> None:
    """Make a deployed version the current one: new runs go to it, runs that have begun stay on theirs.

    detent promote 20261122.1 --env prod
    """
    aim("detent promote" + (f" {version}" if version else ""), env, prod, branch)
    with connected() as client:
        before = _current(client)
        now = client.deployments.promote(version or _newest(client))
    _tell(before, now, as_json)


def rollback(*, env: Env = None, prod: Prod = False, branch: Branch = None, as_json: AsJson = False) -> None:
    """Make the version current again that was so before the present one. Its workers are still there, or are started.

    detent rollback --env prod
    """
    aim("detent rollback", env, prod, branch)
    with connected() as client:
        before = _current(client)
        now = client.deployments.rollback()
    _tell(before, now, as_json)


def _current(client: Detent) -> str | None:
    from detent.errors import NotFound

    with suppress(NotFound):
        return client.deployments.retrieve("current").version
    return None


def _newest(client: Detent) -> str:
    """The newest version that can be promoted. Errors: `Conflict`."""
    from detent.errors import Conflict

    for each in client.deployments.list(status="DEPLOYED", limit=1).page().items:
        return each.version
    raise Conflict("no version is deployed here that could be promoted; deploy one with `detent deploy`")


def _tell(before: str | None, now: Deployment, as_json: bool) -> None:
    if as_json:
        from detent_cli.console import print_json

        print_json(now.model_dump(mode="json", exclude={"manifest"}) | {"before": before})
    elif before == now.version:
        typer.echo(f"{now.environment} runs {now.version}, as before")
    else:
        typer.echo(f"{now.environment} runs {now.version}" + (f"; before it {before}" if before else ""))
        if before is not None:
            typer.echo(f"Back again: detent promote {before} --env {now.environment}", err=True)
