"""`detent logs`: what runs wrote, over all runs."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detent_cli.options import AsJson
from detent_cli.project import connected

if TYPE_CHECKING:
    from rich.console import Console

    from detent.client import Detent
    from detent.model.log_views import FoundLine

__all__ = ["logs"]

#: Between two looks at lines that are followed, in seconds.
PAUSE_S = 0.3


def logs(
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="Text in the message or the attributes.")] = None,
    *,
    level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="This one and above: debug, info, warn, error.")
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="TASK", help="Of runs of this task.")] = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Of this run: its id, or latest.")] = None,
    since: Annotated[str | None, typer.Option(metavar="WHEN", help="Since: 1h, or 2026-11-22T09:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="Before.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="The latest so many lines.")] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines until interrupted; --json: an object a line.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What runs wrote, over all runs: the latest lines that fit, oldest first.

    detent logs "rate limit" --level warn --since 1h
    """
    filters: dict[str, Any] = {"text": text, "level": level, "task": task, "since": since, "until": until}
    with connected() as client:
        if run is not None:
            from detent_cli.run_id import find_run

            filters["run"] = find_run(client, run)
        found = _latest(client, limit, filters)
        if not follow:
            _print(found, as_json=as_json)
            if not found:
                typer.echo("No line fits.", err=True)
            return
        _follow(client, found, filters, as_json=as_json)


def _latest(client: Detent, limit: int, filters: dict[str, Any]) -> list[FoundLine]:
    lines: list[FoundLine] = []
    for line in client.logs.search(limit=min(limit, 1_000), **filters):
        lines.append(line)
        if len(lines) == limit:
            break
    return lines[::-1]


def _follow(client: Detent, found: list[FoundLine], filters: dict[str, Any], *, as_json: bool) -> None:
    from detent_cli.console import stdout

    console = stdout()
    begun = datetime.now(UTC)
    last = found[-1].seq if found else None
    _print_each(console, found, as_json=as_json)
    try:
        while True:
            # Without a line to go on from, what is written from now on is new.
            place = {"since": begun} if last is None else {"since": None, "cursor": str(last)}
            fresh = list(client.logs.search(order="oldest", limit=1_000, **(filters | place)))
            _print_each(console, fresh, as_json=as_json)
            last = fresh[-1].seq if fresh else last
            time.sleep(PAUSE_S)
    except KeyboardInterrupt:
        return


def _print(lines: list[FoundLine], *, as_json: bool) -> None:
    from detent_cli.console import print_json, stdout

    if as_json:
        print_json({"items": lines})
        return
    _print_each(stdout(), lines, as_json=False)


def _print_each(console: Console, lines: list[FoundLine], *, as_json: bool) -> None:
    from rich.text import Text

    from detent_cli.console import clean, json_text
    from detent_cli.run_logs import shown_line
    from detent_cli.styles import short_ids

    names = short_ids([line.run_id for line in lines])
    for line in lines:
        if as_json:
            print(json_text(line, None), flush=True)  # noqa: T201
            continue
        head = Text(f"{names[line.run_id]}  {clean(line.task)}  ", style="dim")
        console.print(head.append_text(shown_line(line)), soft_wrap=True)
