"""`detent runs bulk`: cancel or replay many runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson
from detent_cli.project import connected, is_served

if TYPE_CHECKING:
    from detent.client import Detent
    from detent.model.bulk_views import BulkAction

__all__ = ["app"]

Ids = Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Ids of runs; or say which by filters.")]
Statuses = Annotated[list[str] | None, typer.Option("--status", metavar="STATUS", help="May be repeated.")]
Tasks = Annotated[list[str] | None, typer.Option("--task", metavar="TASK", help="May be repeated.")]
Versions = Annotated[list[str] | None, typer.Option("--version", metavar="VERSION", help="May be repeated.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="May be repeated.")]
Queue = Annotated[str | None, typer.Option(metavar="NAME", help="Runs of this queue.")]
Batch = Annotated[str | None, typer.Option(metavar="BATCH", help="Runs of this batch.")]
Root = Annotated[str | None, typer.Option(metavar="RUN", help="All below this run.")]
Since = Annotated[str | None, typer.Option(metavar="WHEN", help="Created since: 1h, or a moment.")]
Until = Annotated[str | None, typer.Option(metavar="WHEN", help="Created before.")]
ErrorText = Annotated[str | None, typer.Option("--error", metavar="TEXT", help="In the error.")]
Name = Annotated[str, typer.Option(metavar="TEXT", help="Of the bulk action, to find it by.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say how many there are, with examples.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed where there is no terminal.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Print its id, and do not wait for the end.")]
ActionId = Annotated[str, typer.Argument(metavar="ACTION", help="The bulk action's id, bulk_….")]

app = new_app("Cancel or replay many runs.")


class _Manner(NamedTuple):
    """How a bulk action is begun and shown."""

    dry_run: bool
    yes: bool
    no_wait: bool
    as_json: bool


@app.command("cancel", short_help="Cancel many runs.")
def cancel_runs(
    *,
    runs: Ids = None,
    status: Statuses = None,
    task: Tasks = None,
    version: Versions = None,
    tag: Tags = None,
    queue: Queue = None,
    batch: Batch = None,
    root: Root = None,
    since: Since = None,
    until: Until = None,
    error: ErrorText = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept with each run.")] = "",
    name: Name = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Cancel the runs that fit now, with all that they started. Those that come later are left alone.

    detent runs bulk cancel --task send-mail --status queued --since 1h
    """
    filters = {"status": status, "task": task, "version": version, "tag": tag, "queue": queue, "batch": batch}
    filters |= {"root": root, "since": since, "until": until, "error": error}
    _begin("cancel", runs, filters, _Manner(dry_run, yes, no_wait, as_json), name=name, reason=reason)


@app.command("replay", short_help="Replay many runs.")
def replay_runs(
    *,
    runs: Ids = None,
    status: Statuses = None,
    task: Tasks = None,
    version: Versions = None,
    tag: Tags = None,
    queue: Queue = None,
    batch: Batch = None,
    root: Root = None,
    since: Since = None,
    until: Until = None,
    error: ErrorText = None,
    name: Name = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Replay the runs that fit now: each once, with its payload and options. Replays are not replayed again.

    detent runs bulk replay --status failed --error "rate limit" --since 24h
    """
    filters = {"status": status, "task": task, "version": version, "tag": tag, "queue": queue, "batch": batch}
    filters |= {"root": root, "since": since, "until": until, "error": error}
    _begin("replay", runs, filters, _Manner(dry_run, yes, no_wait, as_json), name=name)


@app.command("list", short_help="Bulk actions, newest first.")
def list_actions(
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=100, help="Bulk actions to show.")] = 20,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Where the page before ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bulk actions, newest first."""
    with connected() as client:
        page = client.runs.bulk.list(limit=limit, cursor=cursor).page()
    if as_json:
        from detent_cli.console import print_json

        print_json(page)
        return
    from detent_cli.bulk_pages import print_actions

    print_actions(page.items)
    if not page.items:
        typer.echo("No bulk actions yet.", err=True)
    elif page.next_cursor is not None:
        typer.echo(f"There are more: --cursor {page.next_cursor}", err=True)


@app.command("show", short_help="One bulk action: how far it has come.")
def show_action(action: ActionId, as_json: AsJson = False) -> None:
    """One bulk action: what it does, how far it has come, and which runs it could not handle."""
    with connected() as client:
        _tell(client.runs.bulk.retrieve(action), as_json)


@app.command("abort", short_help="Handle no more runs.")
def abort_action(action: ActionId, as_json: AsJson = False) -> None:
    """Handle no more runs. What is done stays done."""
    with connected() as client:
        _tell(client.runs.bulk.abort(action), as_json)


def _begin(action: str, ids: list[str] | None, filters: dict[str, Any], manner: _Manner, **more: str) -> None:
    from detent.config import load_config
    from detent_cli.run_id import find_run

    filters = {option: value for option, value in filters.items() if value}
    with connected() as client:
        if "root" in filters:
            filters["root"] = find_run(client, filters["root"])
        which = {"ids": [find_run(client, run) for run in ids] if ids else None, **filters, **more}
        begin = getattr(client.runs.bulk, action)
        if manner.dry_run:
            _tell(begin(dry_run=True, **which), manner.as_json)
            return
        if not manner.yes:
            _confirm(action, begin, which)
        made: BulkAction = begin(**which)
        if manner.no_wait or not is_served(load_config()):
            _tell(made, manner.as_json)
            if not manner.no_wait:
                typer.echo("It begins when a server runs: start `detent dev`.", err=True)
            return
        _await_end(client, made, manner.as_json)


def _confirm(action: str, begin: Any, which: dict[str, Any]) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("there is no terminal to ask at; say --yes, or --dry-run to see what it would do")
    told: BulkAction = begin(dry_run=True, **which)
    _tell(told, as_json=False)
    if not told.expected or not typer.confirm(f"{action} {told.expected:,} runs?", err=True):
        raise typer.Exit(1)


def _await_end(client: Detent, made: BulkAction, as_json: bool) -> None:
    from detent_cli.bulk_pages import follow

    ended = follow(client, made, as_json=as_json)
    raise typer.Exit(1 if ended.failed or ended.status == "ABORTED" else 0)


def _tell(action: BulkAction, as_json: bool) -> None:
    if as_json:
        from detent_cli.console import print_json

        print_json(action)
        return
    from detent_cli.bulk_pages import print_action

    print_action(action)
