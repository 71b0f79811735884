"""`detent tokens`: what runs wait for until somebody completes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson
from detent_cli.project import connected

if TYPE_CHECKING:
    from detent.client import Detent
    from detent.model.views import TokenPage

__all__ = ["app"]

PAGE = 100

TokenId = Annotated[str, typer.Argument(metavar="TOKEN", help="The token's id, waitpoint_….")]

app = new_app("Tokens: what runs wait for, and completing it.")


@app.command("list", short_help="Tokens, newest first.")
def list_tokens(
    *,
    status: Annotated[
        list[str] | None, typer.Option(metavar="STATUS", help="waiting, completed or timed_out; may be repeated.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="A tag; may be repeated.")] = None,
    idempotency_key: Annotated[str | None, typer.Option(metavar="KEY", help="The token of this key.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Tokens to show.")] = 20,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Where the page before ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tokens, newest first. Values of one option are alternatives, different options must all fit.

    detent tokens list --status waiting --tag approval
    """
    from detent.model.views import TokenPage

    filters: dict[str, Any] = {"status": status, "tag": tag, "idempotency_key": idempotency_key}
    with connected() as client:
        page = _longer(client, TokenPage(items=[], next_cursor=cursor), limit, filters)
        while len(page.items) < limit and page.next_cursor is not None:
            page = _longer(client, page, limit, filters)
    if as_json:
        from detent_cli.console import print_json

        print_json(page)
        return
    from detent_cli.token_pages import print_tokens

    print_tokens(page)
    if not page.items:
        fitting = any(filters.values()) or cursor is not None
        typer.echo("No token fits." if fitting else "No tokens yet.", err=True)
    elif page.next_cursor is not None:
        typer.echo(f"There are more: --cursor {page.next_cursor}", err=True)


def _longer(client: Detent, page: TokenPage, limit: int, filters: dict[str, Any]) -> TokenPage:
    """`page` and the one that follows it, at most `limit` tokens."""
    most = min(PAGE, limit - len(page.items))
    following = client.tokens.list(limit=most, cursor=page.next_cursor, **filters).page()
    return following.model_copy(update={"items": [*page.items, *following.items]})


@app.command("create", short_help="Make a token; its id and its callback address.")
def create_token(
    *,
    timeout: Annotated[
        str | None, typer.Option(metavar="WHEN", help="When it times out: 10m, or 2026-11-22T09:00:00Z.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="A tag; may be repeated.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Find the token that this key has made, if any.")
    ] = None,
    idempotency_key_ttl: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long the key is kept; 30d unless set.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token, and print its id and the address that completes it. It waits for ever without --timeout."""
    with connected() as client:
        token = client.tokens.create(
            timeout=timeout, tags=tag, idempotency_key=idempotency_key, idempotency_key_ttl=idempotency_key_ttl
        )
    if as_json:
        from detent_cli.console import print_json

        print_json(token)
        return
    typer.echo(f"{token.id}\n{token.url}")
    if token.is_cached:
        typer.echo("This key has made it before.", err=True)


@app.command("retrieve", short_help="One token: its status, output and who waits for it.")
def retrieve_token(token: TokenId, as_json: AsJson = False) -> None:
    """One token: status, callback address, times, output, and the runs that wait for it."""
    with connected() as client:
        found = client.tokens.retrieve(token)
    if as_json:
        from detent_cli.console import print_json

        print_json(found)
        return
    from detent_cli.token_pages import print_token

    print_token(found)


@app.command("complete", short_help="Complete a token: the runs that wait for it go on.")
def complete_token(
    token: TokenId,
    output: Annotated[
        str, typer.Argument(metavar="[OUTPUT]", help="JSON, @FILE, or - for standard input; null unless given.")
    ] = "null",
    as_json: AsJson = False,
) -> None:
    """Complete a token with a JSON value. The first completion counts; a second one is refused.

    detent tokens complete waitpoint_0199… '{"approved": true}'
    """
    from detent_cli.json_argument import read_json_argument

    value = read_json_argument(output, "OUTPUT")
    with connected() as client:
        done = client.tokens.complete(token, value)
    if as_json:
        from detent_cli.console import print_json

        print_json(done)
    else:
        typer.echo(f"{done.id} {done.status}")
