"""`detent runs`: find runs, look into them, wait for them, cancel them, run them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from detent_cli.bulk import app as bulk
from detent_cli.lazy import new_app
from detent_cli.options import AsJson, RunId
from detent_cli.project import connected
from detent_cli.run_again import fork_run, replay_run, resume_run, show_journal
from detent_cli.run_changes import add_tags, change_metadata, reschedule_run
from detent_cli.run_diagnosis import diagnose_run
from detent_cli.run_live import read_stream, send_input, watch_run

if TYPE_CHECKING:
    from detent.client import Detent
    from detent.model.views import RunPage

__all__ = ["app"]

PAGE = 100

app = new_app("Find runs, look into them, wait for them, cancel them, run them again.")


@app.command("list", short_help="Runs, newest first.")
def list_runs(
    *,
    status: Annotated[list[str] | None, typer.Option(metavar="STATUS", help="Such as failed; may be repeated.")] = None,
    task: Annotated[list[str] | None, typer.Option(metavar="TASK", help="A task's id; may be repeated.")] = None,
    version: Annotated[list[str] | None, typer.Option(metavar="VERSION", help="Of your code; may be repeated.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="A tag; may be repeated.")] = None,
    queue: Annotated[str | None, typer.Option(metavar="NAME", help="Runs of this queue.")] = None,
    batch: Annotated[str | None, typer.Option(metavar="BATCH", help="Runs of this batch.")] = None,
    parent: Annotated[str | None, typer.Option(metavar="RUN", help="Runs that this run started.")] = None,
    root: Annotated[str | None, typer.Option(metavar="RUN", help="All below this run.")] = None,
    schedule: Annotated[str | None, typer.Option(metavar="SCHEDULE", help="Runs of this schedule.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Created since: 1h, or 2026-11-22T09:00:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="Created before.")] = None,
    search: Annotated[str | None, typer.Option(metavar="TEXT", help="In the id, the task or the error.")] = None,
    error: Annotated[str | None, typer.Option(metavar="TEXT", help="In the error.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Runs to show.")] = 20,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Where the page before ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """Runs, newest first. Values of one option are alternatives, different options must all fit.

    detent runs list --status failed --status crashed --since 1h
    """
    from detent.model.views import RunPage

    filters: dict[str, Any] = {
        "status": status,
        "task": task,
        "version": version,
        "tag": tag,
        "queue": queue,
        "batch": batch,
        "schedule": schedule,
        "since": since,
        "until": until,
        "search": search,
        "error": error,
    }
    for name in status or ():
        _check_status(name)
    with connected() as client:
        for name, run in (("parent", parent), ("root", root)):
            if run is not None:
                from detent_cli.run_id import find_run

                filters[name] = find_run(client, run)
        page = RunPage(items=[], next_cursor=cursor)
        while len(page.items) < limit and (page.next_cursor is not None or not page.items):
            page = _longer(client, page, limit, filters)
            if page.next_cursor is None:
                break
    if as_json:
        from detent_cli.console import print_json

        print_json(page)
        return
    from detent_cli.run_table import print_runs

    print_runs(page)
    if not page.items:
        fitting = any(value for value in filters.values()) or cursor is not None
        typer.echo("No run fits." if fitting else "No runs yet.", err=True)
    elif page.next_cursor is not None:
        typer.echo(f"There are more: --cursor {page.next_cursor}", err=True)


def _check_status(name: str) -> None:
    """Errors: `InvalidOptions` with all that there are, since nobody knows thirteen names by heart."""
    from detent.errors import InvalidOptions
    from detent.model.status import Status

    if name.upper() not in list(Status):
        known = ", ".join(status.lower() for status in Status)
        raise InvalidOptions(f"no status named {name!r}; there are: {known}")


def _longer(client: Detent, page: RunPage, limit: int, filters: dict[str, Any]) -> RunPage:
    """`page` and the one that follows it, at most `limit` runs."""
    most = min(PAGE, limit - len(page.items))
    following = client.runs.list(limit=most, cursor=page.next_cursor, **filters).page()
    return following.model_copy(update={"items": [*page.items, *following.items]})


@app.command("get", short_help="One run: what became of it, and its trace.")
def get_run(
    run: RunId,
    payload: Annotated[bool, typer.Option("--payload", help="Print the payload alone, as JSON.")] = False,
    output: Annotated[bool, typer.Option("--output", help="Print the output alone, as JSON.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Cut nothing, and show the whole traceback.")] = False,
    as_json: AsJson = False,
) -> None:
    """One run: times, attempts, error with the lines of your code, why it does not run yet, and its trace."""
    from detent_cli.console import print_json
    from detent_cli.run_id import find_run

    if payload and output:
        raise typer.BadParameter("choose one of --payload and --output")
    with connected() as client:
        run_id = find_run(client, run)
        detail = client.runs.retrieve(run_id)
        if payload or output:
            print_json(detail.payload if payload else detail.output)
            return
        trace = client.runs.trace(run_id)
    if as_json:
        print_json(detail.model_dump(mode="json") | {"trace": trace})
        return
    from detent_cli.run_page import print_run

    print_run(detail, trace, full=full)


@app.command("logs", short_help="What a run wrote.")
def show_logs(
    run: RunId,
    level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="This one and above: debug, info, warn, error.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run has ended; --json: an object a line.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What a run wrote: its logger, print and logging, oldest first."""
    from detent_cli.run_id import find_run
    from detent_cli.run_logs import print_logs

    with connected() as client:
        print_logs(client, find_run(client, run), level, follow=follow, as_json=as_json)


@app.command("wait", short_help="Wait for the end of a run, and print its output.")
def wait_for_run(
    run: RunId,
    timeout: Annotated[str | None, typer.Option(metavar="TIME", help="Longest time to wait, such as 30s.")] = None,
    as_json: AsJson = False,
) -> None:
    """Wait until a run has ended, and print its output; the exit status is 1 when it did not complete."""
    from detent_cli.ending import wait_for_end
    from detent_cli.run_id import find_run

    with connected() as client:
        run_id = find_run(client, run)
        raise typer.Exit(wait_for_end(client, run_id, timeout, as_json=as_json))


@app.command("cancel", short_help="Cancel a run and all that it started.")
def cancel_run(
    run: RunId,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept with the run.")] = "",
    as_json: AsJson = False,
) -> None:
    """Cancel a run and all that it started. What executes is told to stop, and ends within 30 s."""
    from detent_cli.run_id import find_run

    with connected() as client:
        run_id = find_run(client, run)
        status = client.runs.cancel(run_id, reason)
    if as_json:
        from detent_cli.console import print_json

        print_json({"id": run_id, "status": status})
    elif status == "CANCELED":
        typer.echo(f"{run_id} {status}")
    else:
        typer.echo(f"{run_id} {status}, told to stop; see its end: detent runs wait {run_id}")


app.command("diagnose", short_help="Why a run failed or is not running, and what to do.")(diagnose_run)
app.add_typer(bulk, name="bulk")
app.command("reschedule", short_help="Let a delayed run start at another moment.")(reschedule_run)
app.command("tags", short_help="Add tags to a run.")(add_tags)
app.command("metadata", short_help="The metadata of a run, and changing it.")(change_metadata)
app.command("replay", short_help="Run a run again from its beginning.")(replay_run)
app.command("fork", short_help="Run a run again from one of its steps on.")(fork_run)
app.command("resume", short_help="Let a paused run go on.")(resume_run)
app.command("watch", short_help="Follow a run to its end.")(watch_run)
app.command("stream", short_help="What a run writes into a stream, as it comes.")(read_stream)
app.command("send", short_help="Send a value to a run that reads it.")(send_input)
app.command("journal", short_help="The steps and waits of a run.")(show_journal)
