"""`detent runs diagnose`: why a run failed or is not running, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detent_cli.options import AsJson, RunId
from detent_cli.project import connected

if TYPE_CHECKING:
    from rich.console import Console

    from detent.model.diagnosis_views import Blocker, Diagnosis, Frame, SimilarFailures

__all__ = ["diagnose_run"]


def diagnose_run(run: RunId, as_json: AsJson = False) -> None:
    """Why a run failed or is not running: the error with the lines of your code, what it waits for, where its time
    went, the same failure elsewhere, and the commands to go on with."""
    from detent_cli.run_id import find_run

    with connected() as client:
        found = client.runs.diagnose(find_run(client, run))
    if as_json:
        from detent_cli.console import print_json

        print_json(found)
        return
    _print(found)


def _print(found: Diagnosis) -> None:
    from rich.text import Text

    from detent_cli.console import clean, stdout
    from detent_cli.styles import status_text

    console = stdout()
    head = Text(found.id, style="bold")
    head.append("  ").append_text(status_text(found.status)).append(f"  {clean(found.task)}")
    console.print(head, soft_wrap=True)
    console.print(Text(f"{found.verdict}: {clean(found.summary)}", style="yellow"), soft_wrap=True)
    _print_blockers(console, found.waiting_for)
    if found.error is not None:
        console.print()
        console.print(Text(f"{clean(found.error.type)}: {clean(found.error.message)}", style="red"), soft_wrap=True)
        for frame in found.error.frames:
            _print_frame(console, frame)
        if found.error.folded:
            console.print(Text(f"  … {found.error.folded} frames of libraries", style="dim"))
    if found.similar is not None and found.similar.count:
        console.print()
        console.print(Text(_similar(found.similar)), soft_wrap=True)
    _print_slowest(console, found)
    _print_next(console, found)


def _print_blockers(console: Console, blockers: list[Blocker]) -> None:
    from rich.text import Text

    from detent_cli.console import clean

    for blocker in blockers:
        console.print(Text(f"  {clean(_blocker(blocker))}"), soft_wrap=True)
        for held in blocker.held_by:
            console.print(Text(f"    held by {clean(held['id'])}  {clean(held['task'])}", style="dim"), soft_wrap=True)


def _blocker(blocker: Blocker) -> str:
    from detent_cli.styles import local_time

    until = "" if blocker.until is None else f" until {local_time(blocker.until)}"
    if blocker.kind == "token":
        return f"token {blocker.id}{until}"
    if blocker.kind == "run":
        return f"run {blocker.id} ({blocker.task}) {blocker.status}" + (f": {blocker.reason}" if blocker.reason else "")
    if blocker.kind == "journal":
        return f"at {blocker.key}: recorded {blocker.expected}, now {blocker.received}"
    if blocker.kind == "worker":
        near = f"; near names: {', '.join(blocker.known)}" if blocker.known else ""
        return f"a worker with task {blocker.task}; {blocker.connected or 0} connected{near}"
    if blocker.limit is not None:
        return f"{blocker.kind} of {blocker.name}: {blocker.running} of {blocker.limit}"
    return f"{blocker.kind}{f' {blocker.name}' if blocker.name else ''}{until}"


def _print_frame(console: Console, frame: Frame) -> None:
    from rich.text import Text

    from detent_cli.console import clean

    if frame.folded_before:
        console.print(Text(f"  … {frame.folded_before} frames of libraries", style="dim"))
    inside = f" in {clean(frame.function)}" if frame.function else ""
    console.print(Text(f"  {clean(frame.file)}:{frame.line}{inside}"), soft_wrap=True)
    if frame.source is None or not frame.source.lines:
        if frame.code:
            console.print(Text(f"    {clean(frame.code)}", style="bold"), soft_wrap=True)
        if frame.source is not None and frame.source.state == "changed":
            console.print(Text("    (the file has another text there now)", style="dim"))
        return
    for place, line in enumerate(frame.source.lines, start=frame.source.first_line):
        here = place == frame.line
        mark = ">" if here else " "
        console.print(Text(f"  {mark} {place:4}  {clean(line)}", style="bold" if here else "dim"), soft_wrap=True)
    if frame.source.state == "may_have_changed":
        console.print(Text("    (source may have changed since the run)", style="dim"))


def _similar(similar: SimilarFailures) -> str:
    from detent_cli.styles import ago, short_ids

    runs = ", ".join(short_ids(similar.runs).values())
    times = f"{similar.count} other run{'s' if similar.count > 1 else ''}"
    return f"The same in {times}, first {ago(similar.first_at)}, last {ago(similar.last_at)}: {runs}"


def _print_slowest(console: Console, found: Diagnosis) -> None:
    from rich.table import Table
    from rich.text import Text

    from detent.model.duration import format_duration
    from detent_cli.console import clean

    if not found.slowest:
        return
    console.print()
    console.print(Text("Slowest, without their parts", style="dim"))
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for span in found.slowest:
        table.add_row(f"  {format_duration(span.self_ms)}", span.kind, clean(span.name))
    console.print(table)


def _print_next(console: Console, found: Diagnosis) -> None:
    from rich.table import Table

    from detent_cli.console import clean

    if not found.next:
        return
    console.print()
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(style="dim", overflow="fold")
    for step in found.next:
        table.add_row(clean(step.command), clean(step.why))
    console.print(table)
