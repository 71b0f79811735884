"""`detent keys`: the keys of environments and people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson
from detent_cli.project import connected

if TYPE_CHECKING:
    from detent.model.account_views import NewApiKey

__all__ = ["app"]

KeyId = Annotated[str, typer.Argument(metavar="KEY", help="The key's id, key_…, from `detent keys list`.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the secret and nothing else.")]

app = new_app("Keys of environments and people: only their hashes are kept.")


@app.command("list", short_help="The keys, without their secrets.")
def list_keys(as_json: AsJson = False) -> None:
    """The keys of the project's environments and of the people of its organisation, newest first."""
    with connected() as client:
        found = client.keys.list()
    if as_json:
        from detent_cli.console import print_json

        print_json({"items": found})
        return
    from detent_cli.account_pages import print_keys

    print_keys(found)
    if not found:
        typer.echo("No keys yet. On this machine none is needed; for others: detent keys create --name NAME", err=True)


@app.command("create", short_help="Make a key; its secret is shown this once.")
def create_key(
    *,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What to call it, to tell keys apart.")],
    env: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="Its environment: dev unless set, staging, prod.")
    ] = None,
    personal: Annotated[bool, typer.Option("--personal", help="A key of a person, with their role.")] = False,
    email: Annotated[
        str | None, typer.Option("--email", metavar="EMAIL", help="With --personal: whose; yours unless given.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help="All that it may do, such as runs:read; may be repeated."),
    ] = None,
    expires_in: Annotated[
        str | None, typer.Option("--expires-in", metavar="TIME", help="How long it is good, such as 90d.")
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Make a key, and print its secret, which is shown this once.

    KEY=$(detent keys create --name ci --env prod -q)
    """
    from detent.errors import InvalidOptions

    if email is not None and not personal:
        raise InvalidOptions("--email needs --personal: only such keys belong to a person")
    if personal and env is not None:
        raise InvalidOptions("a personal key is for all environments; leave --env out")
    with connected() as client:
        made = client.keys.create(
            name, environment=env, personal=personal, email=email, scopes=scope, expires_in=expires_in
        )
    _tell(made, quiet, as_json)


@app.command("revoke", short_help="Refuse a key from now on.")
def revoke_key(key: KeyId, as_json: AsJson = False) -> None:
    """Refuse a key from now on."""
    with connected() as client:
        gone = client.keys.revoke(key)
    if as_json:
        from detent_cli.console import print_json

        print_json(gone)
    else:
        typer.echo(f"{gone.id} is revoked.", err=True)


@app.command("rotate", short_help="Make the successor of a key; its secret is shown this once.")
def rotate_key(
    key: KeyId,
    *,
    overlap: Annotated[
        str | None, typer.Option("--overlap", metavar="TIME", help="How long the old one is good; 24h unless set.")
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Make the successor of a key, with its name and rights, and print its secret, which is shown this once."""
    with connected() as client:
        made = client.keys.rotate(key, overlap=overlap)
    _tell(made, quiet, as_json)


def _tell(made: NewApiKey, quiet: bool, as_json: bool) -> None:
    if as_json:
        from detent_cli.console import print_json

        print_json(made)
        return
    typer.echo(made.secret)
    if quiet:
        return
    whose = made.environment or made.person
    typer.echo(f"{made.id} for {whose}. Keep the secret now: it is not shown again.", err=True)
    if made.old_key_until is not None:
        from detent_cli.styles import local_time

        typer.echo(f"{made.replaces} is good until {local_time(made.old_key_until)}.", err=True)
