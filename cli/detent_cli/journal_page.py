"""The journal of a run as people read it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from detent.model.views import JournalEntry
from detent_cli.console import clean, stdout
from detent_cli.styles import ago, local_time, one_line

__all__ = ["print_journal"]

_STATUS = {"open": "blue", "ok": "green", "error": "bold red", "left": "yellow"}


def print_journal(entries: Sequence[JournalEntry]) -> None:
    """A table, in the order in which the entries began."""
    if not entries:
        return
    console = stdout()
    moment = ago if console.is_terminal else local_time
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("SEQ", justify="right")
    for title in ("KEY", "KIND", "TARGET", "STATUS"):
        table.add_column(title, no_wrap=True)
    table.add_column("AT", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis")
    for entry in entries:
        table.add_row(
            str(entry.seq),
            clean(entry.key),
            clean(entry.kind),
            one_line(entry.target, 40),
            Text(entry.status, style=_STATUS.get(entry.status, "")),
            moment(entry.at),
            _what(entry),
        )
    console.print(table)


def _what(entry: JournalEntry) -> Text:
    """What came of an entry: the runs that it started, its error or its value."""
    if entry.error is not None:
        return Text(one_line(f"{entry.error.type}: {entry.error.message}"), style="red")
    if entry.runs_total:
        more = f" and {entry.runs_total - 1} more" if entry.runs_total > 1 else ""
        return Text(f"{entry.runs[0]}{more}")
    return Text("" if entry.value is None else one_line(entry.value))
