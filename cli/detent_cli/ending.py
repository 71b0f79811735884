"""Waiting for the end of a run, with progress for people, and what is said of it then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rich.text import Text

from detent.model.duration import SECOND, parse_duration
from detent.model.views import RunDetail
from detent_cli.console import clean, json_text, notes, print_json, tell_error
from detent_cli.frames import own_frames
from detent_cli.styles import one_line, status_text, took
from detent_cli.unattended import unattended

if TYPE_CHECKING:
    from detent.client import Detent

__all__ = ["wait_for_end"]

#: How often what is shown of the run is fetched anew, in seconds.
REFRESH_S = 0.4
_NOTES_SHOWN = 3

Report = Callable[[RunDetail], None]


def wait_for_end(client: Detent, run_id: str, timeout: str | None, *, as_json: bool) -> int:
    """Follow the run to its end, then print its output, or why there is none.

    Parameters:
      timeout: longest time to wait, as text.

    Returns the exit status: 0 when the run completed, else 1. Errors: `TimeoutError`; `NotFound`.
    """
    try:
        with _reporting() as report:
            run = _follow(client, run_id, timeout, report)
    except KeyboardInterrupt:
        sys.stderr.write(
            f"\nThe run goes on. Wait again: detent runs wait {run_id}\nStop it: detent runs cancel {run_id}\n"
        )
        raise
    if as_json:
        print_json(run)
    elif run.is_success:
        # A text is the thing itself; everything else is written as JSON.
        print(clean(run.output) if isinstance(run.output, str) else json_text(run.output))  # noqa: T201
    else:
        _tell_failure(run)
    return 0 if run.is_success else 1


def _follow(client: Detent, run_id: str, timeout: str | None, report: Report) -> RunDetail:
    ends = None if timeout is None else time.monotonic() + parse_duration(timeout, "--timeout") / SECOND
    while True:
        run = client.runs.retrieve(run_id)
        report(run)
        if run.is_finished:
            return run
        left = REFRESH_S if ends is None else min(REFRESH_S, ends - time.monotonic())
        if left <= 0:
            raise TimeoutError(f"run {run_id} had not ended after {timeout}; it goes on, wait for it again later")
        with suppress(TimeoutError):
            client.runs.poll(run_id, left)


@contextmanager
def _reporting() -> Iterator[Report]:
    """A line that moves, on a terminal; else one line for each change."""
    console = notes()
    if not console.is_terminal:
        yield _lines()
        return
    from rich.status import Status

    with Status("", console=console) as line:
        last: list[RunDetail] = []

        def report(run: RunDetail) -> None:
            last[:] = [run]
            line.update(_progress(run))

        yield report
    # The line that moved is gone; what stays says which run it was. A failure is told by itself.
    if last and last[0].is_success:
        run = last[0]
        console.print(Text.assemble(run.id, "  ", status_text(run.status), f"  {_whole_time(run)}"))


def _lines() -> Report:
    last = ""

    def report(run: RunDetail) -> None:
        nonlocal last
        state = f"{run.id} {run.status}"
        if run.attempt > 1:
            state += f", attempt {run.attempt}"
        if (why := unattended(run)) is not None:
            state += f": {clean(why)}"
        if state != last:
            last = state
            sys.stderr.write(f"{state}\n")
            sys.stderr.flush()

    return report


def _progress(run: RunDetail) -> Text:
    parts = [Text(clean(run.task)), status_text(run.status), Text(_whole_time(run))]
    if run.attempt > 1:
        parts.append(Text(f"attempt {run.attempt}" + (f" of {run.max_attempts}" if run.max_attempts else "")))
    if run.children_total:
        parts.append(Text(_children(run)))
    if run.not_running is not None and run.not_running.code != "waiting":
        parts.append(Text(clean(run.not_running.message), style="yellow"))
    for name, value in list(run.metadata.items())[:_NOTES_SHOWN]:
        if isinstance(value, str | int | float):
            parts.append(Text(one_line(f"{name} {value}", 40), style="dim"))
    return Text("  ").join(parts)


def _whole_time(run: RunDetail) -> str:
    return took(run.created_at, run.finished_at)


def _children(run: RunDetail) -> str:
    if len(run.children) < run.children_total:
        pending = sum(wait.pending for wait in run.waits if wait.kind == "children")
        done = run.children_total - pending
    else:
        done = sum(child.finished_at is not None for child in run.children)
    return f"{done} of {run.children_total} children done"


def _tell_failure(run: RunDetail) -> None:
    """Why the run did not complete: one line, then the lines of the user's own code."""
    cause = f": {run.error.type}: {one_line(run.error.message, 2_000)}" if run.error is not None else ""
    frames = own_frames(run.error.traceback) if run.error is not None else []
    tell_error(f"run {run.id} ended {run.status}{cause}", *map(str, frames), f"more: detent runs get {run.id}")
