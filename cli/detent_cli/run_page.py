"""One run as people read it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detent.model.duration import format_duration
from detent.model.views import Attempt, ErrorView, Paused, RunDetail, TraceSpan
from detent_cli.console import clean, json_text, stdout
from detent_cli.frames import own_frames
from detent_cli.styles import ago, local_time, one_line, status_text, took
from detent_cli.trace_tree import trace_tree

__all__ = ["print_run"]

#: Lines of a value, and characters of each, before it is cut.
_LINES, _LINE_CHARS = 12, 240
#: Columns of a value that is short enough for one line, and of the titles before it.
_LINE, _TITLE = 120, 10


def print_run(run: RunDetail, trace: TraceSpan, *, full: bool) -> None:
    """All of a run. `full`: payload, output, metadata and traceback are not cut."""
    console = stdout()
    head = Text(run.id, style="bold")
    head.append("  ").append_text(status_text(run.status)).append(f"  {clean(run.task)}")
    console.print(head, soft_wrap=True)
    if run.paused is not None:
        _print_paused(console, run, run.paused)
    elif run.not_running is not None:
        console.print(Text(f"Not running: {clean(run.not_running.message)}", style="yellow"))
    _print_facts(console, run)
    if run.error is not None:
        _print_error(console, run.error, full=full)
    console.print()
    _print_value(console, "payload", run.payload, full=full)
    if run.is_success:
        _print_value(console, "output", run.output, full=full)
    if run.metadata:
        _print_value(console, "metadata", run.metadata, full=full)
    if len(run.attempts) > 1:
        _print_attempts(console, run.attempts)
    console.print()
    # A tree that is cut for a reader without a terminal would be as wide as the widest table.
    console.print(trace_tree(trace, console.width if console.is_terminal else 100))
    if not full and run.error is not None and run.error.traceback:
        console.print(Text(f"\nThe whole traceback: detent runs get {run.id} --full", style="dim"))


def _print_facts(console: Console, run: RunDetail) -> None:
    facts = {
        "queue": clean(run.queue) + (f", key {one_line(run.concurrency_key)}" if run.concurrency_key else ""),
        "created": f"{local_time(run.created_at)}, {ago(run.created_at)}",
        "started": _started(run),
        "took": _took(run),
        "starts": "" if run.delay_until is None else f"{local_time(run.delay_until)}, {ago(run.delay_until)}",
        "attempt": f"{run.attempt}" + (f" of {run.max_attempts}" if run.max_attempts else ""),
        "tags": ", ".join(map(one_line, run.tags)),
        "priority": f"{run.priority:g} s" if run.priority else "",
        "ttl": format_duration(run.ttl_ms) if run.ttl_ms else "",
        "max duration": format_duration(run.max_duration_ms) if run.max_duration_ms else "",
        "machine": clean(run.machine or ""),
        "parent": run.parent_id or "",
        "root": run.root_id if run.root_id not in {None, run.parent_id, run.id} else "",
        "batch": run.batch_id or "",
        "schedule": run.schedule_id or "",
        "version": run.version or "",
        "replay of": run.replay_of or "" if run.forked_at is None else "",
        "fork of": _fork(run),
        "children": _children(run),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact:
            table.add_row(f"  {name}", fact)
    console.print(table)


def _print_paused(console: Console, run: RunDetail, paused: Paused) -> None:
    """Why the run is paused, and the commands of what can be done."""
    console.print(Text(f"Paused: {clean(paused.message)}", style="yellow"))
    for title, text in (("expected", paused.expected), ("received", paused.received)):
        if text:
            console.print(Text(f"  {title}  {clean(text)}"))
    fork = f"detent runs fork {run.id}" + (f" --at '{clean(paused.key)}'" if paused.key else "")
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(style="dim")
    table.add_row(f"  detent runs resume {run.id}", "once its code fits again")
    table.add_row(f"  {fork}", "a new run that keeps the steps before")
    table.add_row(f"  detent runs cancel {run.id}", "")
    console.print(table)


def _fork(run: RunDetail) -> str:
    if run.forked_at is None:
        return ""
    return f"{run.replay_of}, " + (f"before {clean(run.forked_at)}" if run.forked_at else "all its finished steps")


def _started(run: RunDetail) -> str:
    if run.started_at is None:
        return ""
    return f"{local_time(run.started_at)}, {took(run.created_at, run.started_at)} after it was created"


def _took(run: RunDetail) -> str:
    if run.duration_ms is None:
        return ""
    whole = f", {took(run.created_at, run.finished_at)} in all"
    return f"{format_duration(run.duration_ms)} executing{whole}"


def _children(run: RunDetail) -> str:
    if not run.children_total:
        return ""
    counts = Counter(str(child.status) for child in run.children)
    shown = ", ".join(f"{number} {status}" for status, number in counts.most_common())
    beyond = "" if len(run.children) == run.children_total else f" among the first {len(run.children)}"
    return f"{run.children_total}: {shown}{beyond}"


def _print_error(console: Console, error: ErrorView, *, full: bool) -> None:
    console.print()
    console.print(Text(f"{error.type}: {clean(error.message)}", style="red"))
    if full and error.traceback:
        console.print(clean(error.traceback).rstrip(), soft_wrap=True)
        return
    for frame in own_frames(error.traceback):
        inside = f" in {frame.function}" if frame.function else ""
        line = Text(f"  {clean(frame.file)}:{frame.line}{clean(inside)}")
        console.print(line, soft_wrap=True)
        if frame.code:
            console.print(Text(f"    {clean(frame.code)}", style="bold"), soft_wrap=True)


def _print_value(console: Console, title: str, value: Any, *, full: bool) -> None:
    line = json_text(value, None)
    if len(title) + 2 + cell_len(line) <= min(console.width, _LINE):
        console.print(Text(title.ljust(_TITLE), style="dim"), end="")
        console.print(clean(line))
        return
    text = json_text(value)
    console.print(Text(title, style="dim"))
    console.print(clean(text if full else _cut(text)), soft_wrap=True)


def _cut(text: str) -> str:
    lines = text.splitlines()
    shown = [line if len(line) <= _LINE_CHARS else f"{line[:_LINE_CHARS]}…" for line in lines[:_LINES]]
    if shown == lines:
        return text
    if len(lines) > _LINES:
        shown.append("…")
    return "\n".join([*shown, f"({len(text):,} characters in all; see them with --full)"])


def _print_attempts(console: Console, attempts: list[Attempt]) -> None:
    console.print()
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("ATTEMPT", justify="right")
    table.add_column("OUTCOME", no_wrap=True)
    table.add_column("TOOK", justify="right", no_wrap=True)
    table.add_column("ERROR", overflow="ellipsis", no_wrap=True)
    for attempt in attempts:
        error = attempt.error
        table.add_row(
            str(attempt.number),
            status_text(attempt.outcome or "goes on"),
            took(attempt.started_at, attempt.finished_at),
            "" if error is None else one_line(f"{error.type}: {error.message}"),
        )
    console.print(table)
