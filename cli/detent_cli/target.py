"""Which environment a command is about that changes what runs there: one that is named, never one by default."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from detent.errors import DetentError, InvalidOptions

__all__ = ["Branch", "Env", "Prod", "aim", "look_at"]

Env = Annotated[
    str | None, typer.Option("--env", "-e", metavar="NAME", help="The environment: staging, prod, or preview.")
]
Prod = Annotated[bool, typer.Option("--prod", help="The same as --env prod.")]
Branch = Annotated[
    str | None, typer.Option("--branch", "-b", metavar="BRANCH", help="With --env preview: the branch that it is for.")
]


def aim(command: str, env: str | None, prod: bool, branch: str | None = None) -> str:
    """The environment that a command is to change; what is asked of servers from now on is about it.

    Parameters:
      command: as it is typed, for the advice.

    Errors: `InvalidOptions` that lists the environments where none is named, and for names that do not fit together.
    """
    name = _named(env, prod, branch)
    if name is None:
        raise InvalidOptions(f"say in which environment: {command} --env ENVIRONMENT, with one of {_known()}")
    os.environ["DETENT_ENVIRONMENT"] = name
    return name


def look_at(env: str | None, prod: bool, branch: str | None = None) -> None:
    """The environment that a command only looks at: the one of the surroundings unless it is named.

    Errors: `InvalidOptions` for names that do not fit together.
    """
    name = _named(env, prod, branch)
    if name is not None:
        os.environ["DETENT_ENVIRONMENT"] = name


def _named(env: str | None, prod: bool, branch: str | None) -> str | None:
    if prod:
        if env not in (None, "prod", "production"):
            raise InvalidOptions(f"--prod and --env {env} name two environments; give one of them")
        env = "prod"
    if env is None:
        env = os.environ.get("DETENT_ENVIRONMENT") or ("preview" if branch is not None else None)
    if env == "production":
        env = "prod"
    if branch is not None:
        if env not in ("preview", f"preview/{branch}"):
            raise InvalidOptions(f"--branch is for preview environments; {env} has no branches: leave --branch out")
        return f"preview/{branch}"
    if env == "preview":
        raise InvalidOptions("a preview environment is that of a branch: --env preview --branch BRANCH")
    return env


def _known() -> str:
    """The environments that there are, as far as that can be found out."""
    from detent_cli.project import connected

    names: list[Any] = ["staging", "prod"]
    try:
        with connected() as client:
            found = [each.name for each in client.environments.list() if each.archived_at is None]
            names = [name for name in found if name != "dev"] or names
    except DetentError:
        pass
    return ", ".join([*names, "preview --branch BRANCH"])
