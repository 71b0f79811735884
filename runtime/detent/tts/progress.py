"""How a run of `tts-generate-audio` gets on: a bar for people, a line for each chunk otherwise."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from detent import Detent

__all__ = ["Display", "follow", "shown"]

_LOOK_EVERY_S = 0.15
_ENDED_BADLY = ("FAILED", "CRASHED", "TIMED_OUT", "SYSTEM_FAILURE", "CANCELED", "EXPIRED")


class Display(Protocol):
    """Shows where a run stands. `children` are its chunks, in order, `total` how many there will be."""

    def show(self, children: list[Any], total: int, done: int) -> None: ...


def follow(client: Detent, run_id: str, display: Display) -> Any:
    """Show the run until it has ended, and how it ended."""
    pause = threading.Event()
    while True:
        outcome = client.runs.result(run_id)
        run = client.runs.retrieve(run_id)
        children = client.runs.children(run_id)
        completed = sum(child.status == "COMPLETED" for child in children)
        total = int(run.metadata.get("chunks", 0)) or len(children)
        # A long run has more children than are listed; a chunk whose worker died may have counted itself twice.
        done = min(total, max(completed, int(run.metadata.get("chunks_done", 0))))
        display.show(children, total, done)
        if outcome.is_finished:
            return outcome
        pause.wait(_LOOK_EVERY_S)


@contextmanager
def shown(console: Console, told: set[str]) -> Iterator[Display]:
    """A display on `console`: moving when it is a terminal, else plain lines.

    Parameters:
      told: ids of runs that were reported already; grows.
    """
    if not console.is_terminal:
        yield _Lines(console, told)
        return
    columns = (
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield _Bars(progress)


class _Lines:
    """One line when a chunk has ended."""

    def __init__(self, console: Console, told: set[str]) -> None:
        self._console = console
        self._told = told

    def show(self, children: list[Any], total: int, done: int) -> None:  # noqa: ARG002  # the lines tell as much
        for number, child in enumerate(children, 1):
            if child.finished_at is None or child.id in self._told:
                continue
            self._told.add(child.id)
            what = "failed" if child.status in _ENDED_BADLY else "spoken"
            took = (child.finished_at - (child.started_at or child.created_at)).total_seconds()
            self._console.print(f"chunk {number} of {total} {what} in {took:.1f} s  {child.id}")


class _Bars:
    """A bar for the whole, and below it a line for each chunk that is being spoken."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._whole = progress.add_task("all chunks", total=None, count="")
        self._at_work: dict[str, TaskID] = {}

    def show(self, children: list[Any], total: int, done: int) -> None:
        self._progress.update(
            self._whole, total=total or None, completed=done, count=f"{done} of {total}" if total else ""
        )
        speaking = {
            child.id: number for number, child in enumerate(children, 1) if child.status in ("EXECUTING", "DEQUEUED")
        }
        for run_id in self._at_work.keys() - speaking.keys():
            self._progress.remove_task(self._at_work.pop(run_id))
        for run_id, number in speaking.items():
            if run_id not in self._at_work:
                self._at_work[run_id] = self._progress.add_task(f"  chunk {number}", total=None, count="")
