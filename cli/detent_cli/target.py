"""Which environment a command is about that changes what runs there: one that is named, never one by default."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from detent.errors import DetentError, Forbidden, InvalidOptions
from detent_cli.project import connected

__all__ = ["Branch", "Env", "Prod", "aim", "look_at", "make_preview"]

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
    if env is None:
        return None
    if branch is None and env != "preview" and not env.startswith("preview/"):
        return env
    from detent.config import load_config
    from detent.deploy.previews import preview_branch
    from detent.model.branches import preview_name

    named = preview_branch(env, branch, load_config().root)
    return env if named is None else preview_name(named)


def make_preview(name: str) -> None:
    """See to it that there is the preview environment `name`, and that it is not archived. Others are left as they are.

    Errors: those of the server; but the key of a preview, which may not make any, is taken to be for one that is there.
    """
    from detent.model.branches import branch_in

    branch = branch_in(name)
    if branch is None:
        return
    from detent_cli.preview import tell_new_environment

    # A server knows nothing of an environment before it is made.
    del os.environ["DETENT_ENVIRONMENT"]
    try:
        with connected() as client:
            tell_new_environment(client.environments.create(branch), secret=True)
    except Forbidden:
        pass
    finally:
        os.environ["DETENT_ENVIRONMENT"] = name


def _known() -> str:
    """The environments that there are, as far as that can be found out."""
    names: list[Any] = ["staging", "prod"]
    try:
        with connected() as client:
            found = [each.name for each in client.environments.list() if each.archived_at is None]
            names = [name for name in found if name not in ("dev", "preview")] or names
    except DetentError:
        pass
    return ", ".join([*names, "preview"])
