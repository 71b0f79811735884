"""The part of `detent init` that connects a folder with a project of a server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from detent.errors import DetentError, InvalidOptions
from detent.model.slug import slug_in
from detent_cli.project import connected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detent.model.account_views import InitializedProject, Project

__all__ = ["Wanted", "ask_for_remote", "initialised", "server_in_use"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A project of a server, by its slug. `name`: what a new one is called; None where it must be there."""

    slug: str
    name: str | None = None

    @classmethod
    def of(cls, project: str | None, create: str | None) -> Wanted | None:
        """What `--project` or `--create-project` say; None where neither is given. Errors: `InvalidOptions`."""
        if project is not None and create is not None:
            raise InvalidOptions("--project is for one that is there, --create-project for a new one; give one of them")
        if project is not None:
            return cls(project)
        if create is None:
            return None
        slug = slug_in(create)
        if slug is None:
            raise InvalidOptions(
                f"{create!r} has none of a-z and 0-9, of which the project's slug could be made; name it in those"
            )
        return cls(slug, create)


def server_in_use() -> str | None:
    """The address of the server that commands speak to; None for the project's own engine, and where nobody knows."""
    from detent_cli.remote import profile_in_use

    named = os.environ.get("DETENT_API_URL")
    if named:
        return named
    try:
        profile = profile_in_use()
    except DetentError:
        return None
    return None if profile is None else profile.url


def initialised(wanted: Wanted) -> InitializedProject:
    """The project of the server in use, made where it may be and is not there.

    Errors: `InvalidOptions` without a server; `NotFound` with near names; those of the server.
    """
    if server_in_use() is None:
        raise InvalidOptions(
            "no server is in use to connect the folder with: log in with `detent login --url URL`, "
            "or set DETENT_API_URL and DETENT_SECRET_KEY; without one leave --project and --create-project out"
        )
    with connected() as client:
        if wanted.name is None:
            return client.projects.initialize(client.projects.retrieve(wanted.slug).slug)
        return client.projects.initialize(wanted.slug, name=wanted.name)


def ask_for_remote(url: str, usual: str) -> Wanted | None:
    """Whether, and with which project of the server at `url`, a person wants to connect the folder.

    Parameters:
      usual: the name of a new one, unless they say otherwise.
    """
    from detent_cli.console import clean

    if not typer.confirm(f"Connect it with a project of {url}?", default=True):
        return None
    try:
        with connected() as client:
            found = client.projects.list()
    except DetentError as error:
        typer.echo(f"Not connected: {clean(error.message)}", err=True)
        return None
    for number, project in enumerate(found, 1):
        typer.echo(f"  {number:2} {clean(project.slug)}  {clean(project.name)}")
    while True:
        answer = typer.prompt("Which? A number, or the name of a new one", default=_usual(found, usual)).strip()
        if answer.isdigit() and 1 <= int(answer) <= len(found):
            return Wanted(found[int(answer) - 1].slug)
        there = next((project for project in found if answer in (project.slug, project.name)), None)
        if there is not None:
            return Wanted(there.slug)
        try:
            return Wanted.of(None, answer)
        except InvalidOptions as error:
            typer.echo(error.message)


def _usual(found: Sequence[Project], usual: str) -> str:
    slug = slug_in(usual)
    same = next((number for number, project in enumerate(found, 1) if project.slug == slug), None)
    return usual if same is None else str(same)
