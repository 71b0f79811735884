"""`detent queues`: limits, what executes, what waits; pause, resume, and another limit for a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson
from detent_cli.project import connected

if TYPE_CHECKING:
    from detent.model.views import QueueView

__all__ = ["app"]

PAGE = 100

Name = Annotated[str, typer.Argument(metavar="NAME", help="The queue's name.")]

app = new_app("Queues: their limits, what executes, what waits.")


@app.command("list", short_help="The queues of the project.")
def list_queues(as_json: AsJson = False) -> None:
    """The queues of the project, by name."""
    with connected() as client:
        found = client.queues.list()
    if as_json:
        from detent_cli.console import print_json

        print_json({"items": found})
    elif found:
        from detent_cli.queue_pages import print_queues

        print_queues(found)
    else:
        typer.echo("No queues yet: the first worker declares them; start `detent dev`.", err=True)


@app.command("show", short_help="One queue.")
def show_queue(name: Name, as_json: AsJson = False) -> None:
    """One queue: its limit, also the declared one where it is overridden, what executes and what waits."""
    with connected() as client:
        _tell(client.queues.retrieve(name), as_json)


@app.command("keys", short_help="The concurrency keys of a queue.")
def list_keys(
    name: Name,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=PAGE, help="Keys to show.")] = 20,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Where the page before ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """The concurrency keys of a queue that have runs which execute or wait, those with the most first."""
    with connected() as client:
        page = client.queues.keys(name, limit=limit, cursor=cursor).page()
    if as_json:
        from detent_cli.console import print_json

        print_json(page)
        return
    from detent_cli.queue_pages import print_keys

    print_keys(page.items)
    if not page.items:
        typer.echo("Nothing executes or waits.", err=True)
    elif page.next_cursor is not None:
        typer.echo(f"There are more: --cursor {page.next_cursor}", err=True)


@app.command("pause", short_help="Start no more runs of a queue.")
def pause_queue(name: Name, as_json: AsJson = False) -> None:
    """Start no more runs of a queue. What executes goes on."""
    with connected() as client:
        _tell(client.queues.pause(name), as_json)


@app.command("resume", short_help="Start the runs of a queue again.")
def resume_queue(name: Name, as_json: AsJson = False) -> None:
    """Start the runs of a queue again, at once."""
    with connected() as client:
        _tell(client.queues.resume(name), as_json)


@app.command("limit", short_help="Let another limit hold than the declared one.")
def override_limit(
    name: Name,
    limit: Annotated[int, typer.Argument(metavar="N", help="Most runs at once, from 1.")],
    ttl: Annotated[str | None, typer.Option(metavar="TIME", help="How long, such as 2h; until reset without.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let another limit hold than the one that code or settings declare, whatever workers declare meanwhile.

    detent queues limit openai-calls 20 --ttl 2h
    """
    with connected() as client:
        _tell(client.queues.override_limit(name, limit, ttl=ttl), as_json)


@app.command("reset", short_help="Let the declared limit hold again.")
def reset_limit(name: Name, as_json: AsJson = False) -> None:
    """Let the declared limit hold again."""
    with connected() as client:
        _tell(client.queues.reset_limit(name), as_json)


def _tell(queue: QueueView, as_json: bool) -> None:
    if as_json:
        from detent_cli.console import print_json

        print_json(queue)
        return
    from detent_cli.queue_pages import print_queue

    print_queue(queue)
