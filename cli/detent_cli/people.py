"""`detent people`: who belongs to the organisation, and what they may do."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson
from detent_cli.project import connected

__all__ = ["app"]

app = new_app("People of the organisation, and their roles.")


@app.command("list", short_help="The people and their roles.")
def list_people(as_json: AsJson = False) -> None:
    """The people of the organisation and their roles."""
    with connected() as client:
        found = client.people.list()
    if as_json:
        from detent_cli.console import print_json

        print_json({"items": found})
        return
    from detent_cli.account_pages import print_people

    print_people(found)
    if not found:
        typer.echo("Nobody yet. Add a person with: detent people add EMAIL", err=True)


@app.command("add", short_help="Add a person, or give them another role.")
def add_person(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Their address.")],
    *,
    role: Annotated[
        Literal["owner", "admin", "developer", "viewer"], typer.Option("--role", help="What they may do.")
    ] = "developer",
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="The address unless set.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a person to the organisation, or give them another role. They come in with `detent login`, or with a key of
    theirs: detent keys create --personal --email EMAIL --name laptop
    """
    with connected() as client:
        added = client.people.add(email, name=name, role=role)
    if as_json:
        from detent_cli.console import print_json

        print_json(added)
    else:
        typer.echo(f"{added.email} is {added.role}.", err=True)


@app.command("remove", short_help="Remove a person: their keys reach nothing any more.")
def remove_person(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="Their address or id.")], as_json: AsJson = False
) -> None:
    """Remove a person from the organisation: their keys reach nothing of it any more."""
    with connected() as client:
        gone = client.people.remove(person)
    if as_json:
        from detent_cli.console import print_json

        print_json(gone)
    else:
        typer.echo(f"{person} is removed.", err=True)
