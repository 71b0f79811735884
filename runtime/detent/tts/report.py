"""What a run did, as a small tree with times."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.text import Text
from rich.tree import Tree

from detent import Detent

__all__ = ["tree_of_run"]

_SHOWN = 10


def tree_of_run(client: Detent, run_id: str) -> Tree:
    """The run with what it spent its time on, and its chunks: how long each waited for its turn and took."""
    trace = client.runs.trace(run_id)
    children = client.runs.children(run_id)
    tree = Tree(_line(trace.name, _seconds(trace.start, trace.end), run_id))
    for span in _own(trace):
        tree.add(_line(span.name, _seconds(span.start, span.end), ""))
    for number, child in enumerate(children[:_SHOWN], 1):
        began = child.started_at or child.finished_at
        waited = _seconds(child.created_at, began)
        note = f"{child.id}  waited {waited:.1f} s" if waited is not None else child.id
        if child.status != "COMPLETED":
            note = f"{note}  {child.status}"
        tree.add(_line(f"chunk {number}", _seconds(began, child.finished_at), note))
    if len(children) > _SHOWN:
        more = len(children) - _SHOWN
        tree.add(Text(f"… and {more} more chunk{'' if more == 1 else 's'}", style="dim"))
    return tree


def _own(trace: Any) -> list[Any]:
    """The spans that the task wrote itself, in the order of time."""
    found = [trace] if trace.kind == "user" else [span for child in trace.children for span in _own(child)]
    return sorted(found, key=lambda span: span.start)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()


def _line(name: str, seconds: float | None, note: str) -> Text:
    line = Text(name.ljust(20))
    line.append(f"{'-' if seconds is None else f'{seconds:.2f} s':>10}", style="cyan")
    if note:
        line.append(f"  {note}", style="dim")
    return line
