"""`detent queues`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson
from detent_cli.project import connected

if TYPE_CHECKING:
    from detent.model.views import QueueView

__all__ = ["app"]

app = new_app("Queues: their limits, what executes, what waits.")


@app.callback()
def queues() -> None:
    """Makes `list` a command of its own: without it Typer takes the only one for the whole."""


@app.command("list")
def list_queues(as_json: AsJson = False) -> None:
    """The queues of the project, by name."""
    with connected() as client:
        found = client.queues.list()
    if as_json:
        from detent_cli.console import print_json

        print_json({"items": found})
    elif found:
        _print_table(found)
    else:
        typer.echo("No queues yet: the first worker declares them; start `detent dev`.", err=True)


def _print_table(found: list[QueueView]) -> None:
    from rich.table import Table

    from detent_cli.console import clean, stdout

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("QUEUE", overflow="ellipsis", no_wrap=True)
    for title in ("RUNNING", "LIMIT", "PER KEY", "QUEUED"):
        table.add_column(title, justify="right")
    table.add_column("")
    for queue in found:
        table.add_row(
            clean(queue.name),
            str(queue.running),
            "-" if queue.limit is None else str(queue.limit),
            "-" if queue.limit_per_key is None else str(queue.limit_per_key),
            str(queue.queued),
            "paused" if queue.paused else "",
            style="yellow" if queue.paused else "",
        )
    stdout().print(table)
