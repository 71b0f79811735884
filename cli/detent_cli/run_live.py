"""Following a run while it goes on: its changes, what it writes into streams; and sending it values."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detent_cli.options import AsJson, RunId
from detent_cli.project import connected

if TYPE_CHECKING:
    from rich.text import Text

    from detent.model.stream_views import RunUpdate

__all__ = ["read_stream", "send_input", "watch_run"]

StreamName = Annotated[str, typer.Argument(metavar="NAME", help="The stream's name.")]


def watch_run(run: RunId, as_json: AsJson = False) -> None:
    """Follow a run to its end: a line for each change of its status, metadata and tags; --json: an object a line.

    The exit status is 1 when it did not complete.
    """
    from detent_cli.console import json_text, stdout
    from detent_cli.run_id import find_run

    console = stdout()
    last: RunUpdate | None = None
    with connected() as client:
        run_id = find_run(client, run)
        for update in client.runs.subscribe(run_id):
            if as_json:
                print(json_text(update, None), flush=True)  # noqa: T201
            else:
                console.print(_change(update, last), soft_wrap=True)
            last = update
    if last is not None and not as_json and not last.is_success:
        typer.echo(f"more: detent runs get {last.id}", err=True)
    raise typer.Exit(0 if last is not None and last.is_success else 1)


def _change(update: RunUpdate, last: RunUpdate | None) -> Text:
    """What is new in an update."""
    from rich.text import Text

    from detent_cli.console import json_text
    from detent_cli.styles import clock_time, one_line, status_text

    at = update.events[-1].at if update.events else datetime.now(UTC)
    parts = [Text(clock_time(at), style="dim"), status_text(update.status)]
    if update.attempt > 1:
        parts.append(Text(f"attempt {update.attempt}"))
    known = {} if last is None else last.metadata
    for name, value in update.metadata.items():
        if name not in known or known[name] != value:
            parts.append(Text(one_line(f"{name}={json_text(value, None)}", 200)))
    fresh = [tag for tag in update.tags if last is None or tag not in last.tags]
    if fresh:
        parts.append(Text(one_line(f"tags {', '.join(fresh)}", 200), style="dim"))
    if update.error is not None and update.is_finished:
        parts.append(Text(one_line(f"{update.error.type}: {update.error.message}", 400), style="red"))
    elif update.is_success and not update.output_is_large:
        parts.append(Text(one_line(json_text(update.output, None), 400)))
    return Text("  ").join(parts)


def read_stream(
    run: RunId,
    name: StreamName,
    after: Annotated[int | None, typer.Option(metavar="SEQ", min=0, help="Only what came after this part.")] = None,
    as_json: AsJson = False,
) -> None:
    """What a run writes into a stream, as it comes, until the stream is closed or the run has ended.

    Texts are written one after the other as they are, other parts as JSON, one a line; --json: an object a line.
    """
    from detent_cli.console import clean, json_text
    from detent_cli.run_id import find_run

    with connected() as client:
        for part in client.streams.parts(find_run(client, run), name, after=after):
            if as_json:
                print(json_text(part, None), flush=True)  # noqa: T201
            elif part.restarted is not None:
                typer.echo(
                    f"\nattempt {part.attempt} writes again what came after part {part.restarted} of the stream:",
                    err=True,
                )
            else:
                text = clean(part.value) if isinstance(part.value, str) else f"{json_text(part.value, None)}\n"
                sys.stdout.write(text)
                sys.stdout.flush()


def send_input(
    run: RunId,
    name: StreamName,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="JSON, @FILE, or - for standard input.")],
    as_json: AsJson = False,
) -> None:
    """Send a JSON value to a run, which reads it by streams.input(NAME): now, or when it comes to it.

    detent runs send run_0199… messages '"go on"'
    """
    from detent_cli.json_argument import read_json_argument
    from detent_cli.run_id import find_run

    plain: Any = read_json_argument(value, "VALUE")
    with connected() as client:
        sent = client.runs.send_input(find_run(client, run), name, plain)
    if as_json:
        from detent_cli.console import print_json

        print_json(sent)
    else:
        typer.echo(f"{sent.run} {sent.stream} {sent.seq}")
