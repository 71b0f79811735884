"""Errors as people read them."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from detent.model.error_views import ErrorDetail, ErrorPage, ErrorSummary
from detent.model.views import RunPage
from detent_cli.console import clean, stdout
from detent_cli.run_table import print_runs
from detent_cli.styles import ago, local_time, one_line

__all__ = ["print_error", "print_errors"]

_STYLE = {"UNRESOLVED": "bold red", "RESOLVED": "green", "IGNORED": "dim"}


def print_errors(page: ErrorPage) -> None:
    """A table, latest seen first."""
    if not page.items:
        return
    console = stdout()
    moment = ago if console.is_terminal else local_time
    table = Table(box=None, pad_edge=False, header_style="dim", expand=console.is_terminal)
    for title in ("ERROR", "STATUS"):
        table.add_column(title, no_wrap=True)
    table.add_column("COUNT", justify="right")
    for title in ("LAST SEEN", "FIRST SEEN"):
        table.add_column(title, no_wrap=True)
    table.add_column("TASKS", no_wrap=True, overflow="ellipsis", max_width=32 if console.is_terminal else None)
    table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
    for error in page.items:
        table.add_row(
            error.id,
            Text(error.status, style=_STYLE[error.status]),
            f"{error.count:,}",
            moment(error.last_seen_at),
            moment(error.first_seen_at),
            clean(", ".join(error.tasks)),
            one_line(f"{error.type}: {error.message}"),
        )
    console.print(table)


def print_error(error: ErrorDetail) -> None:
    """All that is known of an error."""
    console = stdout()
    console.print(Text.assemble((error.id, "bold"), "  ", (error.status, _STYLE[error.status])))
    console.print(Text(one_line(f"{error.type}: {error.message}", 1_000)))
    facts = {
        "failures": f"{error.count:,}",
        "first seen": f"{local_time(error.first_seen_at)}  {error.first_run_id}",
        "last seen": f"{local_time(error.last_seen_at)}  {error.last_run_id}",
        "tasks": ", ".join(f"{task} ({count:,})" for task, count in error.task_counts.items()),
        "resolved": "" if error.resolved_at is None else local_time(error.resolved_at),
        "ignored": _ignored(error),
        "came back": f"{error.regressions:,} times" if error.regressions else "",
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact:
            table.add_row(f"  {name}", clean(fact))
    console.print(table)
    if error.error is not None and error.error.traceback:
        console.print()
        console.print(clean(error.error.traceback.rstrip()), style="dim")
    if error.runs:
        console.print()
        print_runs(RunPage(items=error.runs))


def _ignored(error: ErrorSummary) -> str:
    if error.status != "IGNORED":
        return ""
    ends = []
    if error.ignored_until is not None:
        ends.append(f"until {local_time(error.ignored_until)}")
    if error.ignored_until_count is not None:
        ends.append(f"until there are {error.ignored_until_count:,} failures")
    return " or ".join(ends) or "for good"
