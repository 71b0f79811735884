"""Work on many runs as people read it, and as it goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from detent.model.bulk_views import BulkAction
from detent.model.views import RunPage
from detent_cli.console import clean, json_text, notes, print_json, stdout
from detent_cli.run_table import print_runs
from detent_cli.styles import ago, local_time, one_line

if TYPE_CHECKING:
    from detent.client import Detent

__all__ = ["follow", "print_action", "print_actions"]

#: Seconds between two looks.
_PAUSE_S = 0.2
_STYLES = {"COMPLETED": "green", "ABORTED": "yellow", "PROCESSING": "cyan"}


def print_actions(actions: Sequence[BulkAction]) -> None:
    """A table, newest first."""
    if not actions:
        return
    console = stdout()
    moment = ago if console.is_terminal else local_time
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("BULK ACTION", "WHAT", "STATUS", "CREATED"):
        table.add_column(title, no_wrap=True)
    for title in ("DONE", "OF", "FAILED", "SKIPPED"):
        table.add_column(title, justify="right")
    table.add_column("", no_wrap=True, overflow="ellipsis")
    for action in actions:
        table.add_row(
            action.id,
            action.action,
            Text(action.status, style=_STYLES.get(action.status, "")),
            moment(action.created_at),
            str(action.total),
            str(action.expected),
            str(action.failed),
            str(action.skipped),
            one_line(action.name),
        )
    console.print(table)


def print_action(action: BulkAction) -> None:
    """All that is known of a bulk action."""
    console = stdout()
    is_plan = action.status == "DRY_RUN"
    title = action.action if is_plan else action.id
    console.print(Text.assemble((title, "bold"), "  ", (action.status, _STYLES.get(action.status, ""))))
    facts = {
        "which": "" if action.filter is None else clean(json_text(action.filter, indent=None)),
        "name": one_line(action.name),
        "reason": one_line(action.reason),
    }
    if is_plan:
        facts["runs"] = f"{action.expected:,}"
    else:
        facts |= {
            "what": action.action,
            "runs": f"{action.total:,} of {action.expected:,}",
            "succeeded": f"{action.succeeded:,}",
            "failed": f"{action.failed:,}" if action.failed else "",
            "skipped": f"{action.skipped:,}, they had ended" if action.skipped else "",
            "created": local_time(action.created_at),
            "ended": "" if action.ended_at is None else local_time(action.ended_at),
        }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact:
            table.add_row(f"  {name}", fact)
    console.print(table)
    for problem in action.problems:
        console.print(Text(f"  {problem.run} {problem.outcome}: {one_line(problem.message)}"))
    if action.examples:
        console.print(Text("\nsuch as", style="dim"))
        print_runs(RunPage(items=action.examples))


def follow(client: Detent, made: BulkAction, *, as_json: bool) -> BulkAction:
    """Show how `made` goes on, to its end: a bar for people, an object a line with `as_json`; what it came to."""
    action = made
    if as_json:
        for action in _steps(client, made):
            print_json(action, indent=None)
        return action
    if sys.stderr.isatty():
        action = _bar(client, made)
    else:
        *_, action = _steps(client, made)
    print_action(action)
    return action


def _bar(client: Detent, made: BulkAction) -> BulkAction:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    action = made
    with Progress(*columns, console=notes(), transient=True) as progress:
        bar = progress.add_task(made.action, total=max(1, made.expected))
        for action in _steps(client, made):
            progress.update(bar, completed=action.total, total=max(action.total, action.expected, 1))
    return action


def _steps(client: Detent, made: BulkAction) -> Iterator[BulkAction]:
    """How it stands, whenever that has changed."""
    shown = made
    yield made
    try:
        while not shown.is_finished:
            time.sleep(_PAUSE_S)
            action = client.runs.bulk.retrieve(made.id)
            if action != shown:
                shown = action
                yield action
    except KeyboardInterrupt:
        typer.echo(f"It goes on; stop it with: detent runs bulk abort {made.id}", err=True)
        raise
