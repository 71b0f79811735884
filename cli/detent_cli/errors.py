"""`detent errors`: what goes wrong, in groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson
from detent_cli.project import connected

if TYPE_CHECKING:
    from detent.client import Detent
    from detent.model.error_views import ErrorDetail, ErrorPage

__all__ = ["app"]

PAGE = 100

ErrorId = Annotated[str, typer.Argument(metavar="ERROR", help="The error's id, as `detent errors list` shows it.")]

app = new_app("Errors: failed runs in groups, resolving and ignoring them.")


@app.command("list", short_help="Errors, latest seen first.")
def list_errors(
    *,
    status: Annotated[
        list[str] | None, typer.Option(metavar="STATUS", help="unresolved, resolved or ignored; may be repeated.")
    ] = None,
    task: Annotated[list[str] | None, typer.Option(metavar="TASK", help="A task that met it; may be repeated.")] = None,
    search: Annotated[str | None, typer.Option(metavar="TEXT", help="Text of the type or the message.")] = None,
    since: Annotated[str | None, typer.Option(metavar="WHEN", help="Seen since: 1h, or a moment.")] = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="Last seen before: 1h, or a moment.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Errors to show.")] = 20,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Where the page before ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """Errors, latest seen first. Values of one option are alternatives, different options must all fit.

    detent errors list --status unresolved --task summarize
    """
    from detent.model.error_views import ErrorPage

    filters: dict[str, Any] = {"status": status, "task": task, "search": search, "since": since, "until": until}
    with connected() as client:
        page = _longer(client, ErrorPage(items=[], next_cursor=cursor), limit, filters)
        while len(page.items) < limit and page.next_cursor is not None:
            page = _longer(client, page, limit, filters)
    if as_json:
        from detent_cli.console import print_json

        print_json(page)
        return
    from detent_cli.error_pages import print_errors

    print_errors(page)
    if not page.items:
        fitting = any(filters.values()) or cursor is not None
        typer.echo("No error fits." if fitting else "No errors yet.", err=True)
    elif page.next_cursor is not None:
        typer.echo(f"There are more: --cursor {page.next_cursor}", err=True)


def _longer(client: Detent, page: ErrorPage, limit: int, filters: dict[str, Any]) -> ErrorPage:
    """`page` and the one that follows it, at most `limit` errors."""
    most = min(PAGE, limit - len(page.items))
    following = client.errors.list(limit=most, cursor=page.next_cursor, **filters).page()
    return following.model_copy(update={"items": [*page.items, *following.items]})


@app.command("show", short_help="One error: how often, since when, its latest runs.")
def show_error(error: ErrorId, as_json: AsJson = False) -> None:
    """One error: its message and traceback, how often and since when, its tasks and its latest runs."""
    with connected() as client:
        found = client.errors.retrieve(error)
    if as_json:
        from detent_cli.console import print_json

        print_json(found)
        return
    from detent_cli.error_pages import print_error

    print_error(found)


@app.command("resolve", short_help="Say that it has been mended; a later failure reopens it.")
def resolve_error(error: ErrorId, as_json: AsJson = False) -> None:
    """Say that it has been mended. A later failure is a regression: it reopens the error, and alerts tell of it."""
    with connected() as client:
        done = client.errors.resolve(error)
    _tell(done, as_json)


@app.command("ignore", short_help="Tell nobody of it: for good, for some time, or for so many failures.")
def ignore_error(
    error: ErrorId,
    *,
    until: Annotated[
        str | None, typer.Option("--for", "--until", metavar="WHEN", help="How long: 2d, or until a moment.")
    ] = None,
    occurrences: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Until it came so many more times.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell nobody of it any more; it is counted all the same.

    detent errors ignore 3f1c0a9be2d47765 --for 7d
    """
    with connected() as client:
        done = client.errors.ignore(error, until=until, occurrences=occurrences)
    _tell(done, as_json)


@app.command("unresolve", short_help="Open it again.")
def unresolve_error(error: ErrorId, as_json: AsJson = False) -> None:
    """Open it again, whether it was resolved or ignored."""
    with connected() as client:
        done = client.errors.unresolve(error)
    _tell(done, as_json)


def _tell(done: ErrorDetail, as_json: bool) -> None:
    if as_json:
        from detent_cli.console import print_json

        print_json(done)
    else:
        typer.echo(f"{done.id} {done.status}")
