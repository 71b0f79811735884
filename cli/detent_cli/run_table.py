"""Runs as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from detent.model.duration import format_duration
from detent.model.views import RunPage, RunSummary
from detent_cli.console import clean, stdout
from detent_cli.styles import ago, local_time, one_line, short_ids, status_text

__all__ = ["print_runs"]


def print_runs(page: RunPage) -> None:
    """A table, newest first; the error of a failed run stands in its row."""
    console = stdout()
    if page.items:
        console.print(_table(page.items, console))


def _table(runs: Sequence[RunSummary], console: Console) -> Table:
    for_people = console.is_terminal
    ids = short_ids([run.id for run in runs]) if for_people else {run.id: run.id for run in runs}
    table = Table(box=None, pad_edge=False, header_style="dim", expand=for_people)
    table.add_column("RUN", no_wrap=True)
    table.add_column("STATUS", no_wrap=True)
    table.add_column("TASK", no_wrap=True, overflow="ellipsis", max_width=32 if for_people else None)
    table.add_column("CREATED", no_wrap=True)
    table.add_column("TOOK", no_wrap=True, justify="right")
    table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
    for run in runs:
        table.add_row(
            ids[run.id],
            status_text(run.status),
            f"↳ {clean(run.task)}" if for_people and run.parent_id else clean(run.task),
            ago(run.created_at) if for_people else local_time(run.created_at),
            "" if run.duration_ms is None else format_duration(run.duration_ms),
            _remarks(run),
        )
    return table


def _remarks(run: RunSummary) -> Text:
    """What is special about a run: its error, a second attempt, its tags, its tenant."""
    remarks = []
    if run.error is not None:
        style = "red" if run.is_finished else "yellow"
        remarks.append(Text(one_line(f"{run.error.type}: {run.error.message}"), style=style))
    if run.attempt > 1:
        remarks.append(Text(f"attempt {run.attempt}{f'/{run.max_attempts}' if run.max_attempts else ''}"))
    if run.concurrency_key:
        remarks.append(Text(f"key {one_line(run.concurrency_key)}", style="dim"))
    if run.tags:
        remarks.append(Text(" ".join(f"#{one_line(tag)}" for tag in run.tags), style="dim"))
    return Text("  ").join(remarks)
