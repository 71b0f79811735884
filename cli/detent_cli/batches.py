"""`detent batches`: runs that were triggered together."""

from __future__ import annotations

from typing import Annotated

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson
from detent_cli.project import connected

__all__ = ["app"]

PAGE = 100

app = new_app("Batches: runs that were triggered together.")


@app.command("list", short_help="Batches, newest first.")
def list_batches(
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=PAGE, help="Batches to show.")] = 20,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Where the page before ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """Batches, newest first, and how they stand."""
    with connected() as client:
        page = client.batches.list(limit=limit, cursor=cursor).page()
    if as_json:
        from detent_cli.console import print_json

        print_json(page)
        return
    from detent_cli.batch_pages import print_batches

    print_batches(page.items)
    if not page.items:
        typer.echo("No batches yet.", err=True)
    elif page.next_cursor is not None:
        typer.echo(f"There are more: --cursor {page.next_cursor}", err=True)


@app.command("show", short_help="One batch: how it stands, and its runs.")
def show_batch(
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id, batch_….")],
    results: Annotated[
        bool, typer.Option("--results", help="Also how its runs stand, with outputs and errors, in order.")
    ] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=PAGE, help="Runs to show.")] = 20,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Where the page before ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """One batch: how it stands, how many of its runs are in each status, and their ids in the order of the items."""
    with connected() as client:
        found = client.batches.retrieve(batch, limit=limit, cursor=cursor)
        outcomes = client.batches.results(batch, limit=limit, cursor=cursor).page().items if results else []
    if as_json:
        from detent_cli.console import print_json

        print_json(found.model_dump(mode="json") | ({"results": outcomes} if results else {}))
        return
    from detent_cli.batch_pages import print_batch

    print_batch(found, outcomes)
    if found.next_cursor is not None:
        typer.echo(f"There are more: --cursor {found.next_cursor}", err=True)
