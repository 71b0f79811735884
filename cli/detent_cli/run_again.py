"""`detent runs replay`, `fork`, `resume` and `journal`: run a run again, or let it go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from detent_cli.options import AsJson, RunId
from detent_cli.project import connected
from detent_cli.unattended import unattended

if TYPE_CHECKING:
    from detent.client import Detent
    from detent.model.views import TriggeredRun

__all__ = ["fork_run", "replay_run", "resume_run", "show_journal"]

Wait = Annotated[bool, typer.Option("--wait", help="Wait for the end and print the output; 1 when it failed.")]
Timeout = Annotated[str | None, typer.Option(metavar="TIME", help="Longest time to wait, such as 30s. Needs --wait.")]


def replay_run(
    *,
    run: RunId,
    payload: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="Another payload: JSON, @FILE, or - for standard input."),
    ] = None,
    delay: Annotated[
        str | None, typer.Option(metavar="TIME", help="When to start: 10m, or 2026-11-22T09:00:00Z.")
    ] = None,
    queue: Annotated[str | None, typer.Option(metavar="NAME", help="Another queue.")] = None,
    concurrency_key: Annotated[str | None, typer.Option(metavar="KEY", help="Another tenant or user.")] = None,
    priority: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Go before runs triggered so much earlier.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Other tags; may be repeated.")] = None,
    metadata: Annotated[
        str | None, typer.Option(metavar="JSON", help="Other metadata: a JSON object, or @FILE.")
    ] = None,
    max_attempts: Annotated[int | None, typer.Option(metavar="N", help="Attempts in all, 1 to 250.")] = None,
    max_duration: Annotated[str | None, typer.Option(metavar="TIME", help="Another max duration, such as 1h.")] = None,
    machine: Annotated[str | None, typer.Option(metavar="NAME", help="Another machine, such as large-1x.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Replaying again with this key finds the first replay.")
    ] = None,
    wait: Wait = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Run a run again from its beginning: a new run with the same payload and options, but for what you change.

    detent runs replay latest --payload '{"name": "Ada"}' --wait
    """
    from detent_cli.json_argument import read_json_argument
    from detent_cli.run_id import find_run

    _check(wait, timeout)
    options: dict[str, Any] = {
        "delay": delay,
        "queue": queue,
        "concurrency_key": concurrency_key,
        "priority": priority,
        "tags": tag or None,
        "metadata": None if metadata is None else read_json_argument(metadata, "--metadata"),
        "max_attempts": max_attempts,
        "max_duration": max_duration,
        "machine": machine,
        "idempotency_key": idempotency_key,
    }
    changed = {} if payload is None else {"payload": read_json_argument(payload, "--payload")}
    with connected() as client:
        made = client.runs.replay(find_run(client, run), **changed, **options)
        _tell(client, made, wait, timeout, as_json)


def fork_run(
    *,
    run: RunId,
    at: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="The first entry of the journal that is not kept; all is kept without it."),
    ] = None,
    wait: Wait = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Run a run again from one of its steps on: a new run that keeps what was finished before.

    detent runs fork latest --at charge#1
    """
    from detent_cli.run_id import find_run

    _check(wait, timeout)
    with connected() as client:
        made = client.runs.fork(find_run(client, run), at)
        _tell(client, made, wait, timeout, as_json)


def resume_run(run: RunId, as_json: AsJson = False) -> None:
    """Let a run go on that was paused because its code did not fit its journal."""
    from detent_cli.run_id import find_run

    with connected() as client:
        run_id = find_run(client, run)
        status = client.runs.resume(run_id)
    if as_json:
        from detent_cli.console import print_json

        print_json({"id": run_id, "status": status})
    else:
        typer.echo(f"{run_id} {status}")


def show_journal(
    run: RunId,
    after: Annotated[int | None, typer.Option(metavar="SEQ", min=0, help="Only entries beyond this one.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="Entries to show.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """The journal of a run: its steps, waits and the runs that it started, with the keys at which it can be forked."""
    from detent_cli.run_id import find_run

    with connected() as client:
        run_id = find_run(client, run)
        entries = client.runs.journal(run_id, after=after, limit=limit)
    if as_json:
        from detent_cli.console import print_json

        print_json({"items": entries})
        return
    from detent_cli.journal_page import print_journal

    print_journal(entries)
    if not entries:
        typer.echo("Its journal is empty." if after is None else "There are no more.", err=True)
    elif len(entries) == limit:
        typer.echo(f"There may be more: --after {entries[-1].seq}", err=True)


def _check(wait: bool, timeout: str | None) -> None:
    if timeout is not None and not wait:
        raise typer.BadParameter("it is only for --wait", param_hint="--timeout")


def _tell(client: Detent, made: TriggeredRun, wait: bool, timeout: str | None, as_json: bool) -> None:
    if wait:
        from detent_cli.ending import wait_for_end

        raise typer.Exit(wait_for_end(client, made.id, timeout, as_json=as_json))
    if as_json:
        from detent_cli.console import print_json

        print_json(made)
        return
    typer.echo(made.id)
    if made.cached:
        typer.echo("There already, under its idempotency key.", err=True)
    run = client.runs.retrieve(made.id)
    if (why := unattended(run)) is not None:
        typer.echo(f"Not running yet: {why}", err=True)
