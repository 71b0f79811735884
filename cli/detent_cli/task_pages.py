"""Tasks as people read them."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

from rich.table import Table
from rich.text import Text

from detent.model.duration import format_duration
from detent.model.views import TaskView
from detent_cli.console import clean, json_text, stdout
from detent_cli.example import example_of
from detent_cli.styles import one_line

__all__ = ["print_task", "print_tasks"]


def print_tasks(tasks: list[TaskView], root: Path) -> None:
    """A table, one row a task."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("TASK", no_wrap=True, style="bold", overflow="ellipsis")
    table.add_column("QUEUE", no_wrap=True, overflow="ellipsis")
    table.add_column("FILE", no_wrap=True, overflow="ellipsis", style="dim")
    table.add_column("DESCRIPTION", no_wrap=True, overflow="ellipsis", ratio=1)
    for task in sorted(tasks, key=lambda task: task.id):
        table.add_row(
            clean(task.id),
            "" if task.queue == f"task/{task.id}" else clean(task.queue),
            _place(task, root),
            one_line(task.description.strip().partition("\n")[0]),
        )
    stdout().print(table)


def print_task(task: TaskView, root: Path) -> None:
    """All that is known of a task, and a command that triggers it."""
    console = stdout()
    console.print(Text(clean(task.id), style="bold"))
    for line in clean(task.description).strip().splitlines():
        console.print(f"  {line}")
    facts = {
        "file": _place(task, root),
        "runs as": "def, on a thread" if task.sync else "async def, on the event loop",
        "schedule": "" if task.schedule is None else f"{task.schedule.cron}, {task.schedule.timezone}",
        "isolation": "a process for each run" if task.isolation == "process" else "",
        "machine": clean(task.machine or ""),
        "queue": clean(task.queue),
        "attempts": f"{task.max_attempts}{_pauses(task.retry)}",
        "max duration": "" if task.max_duration_ms is None else format_duration(task.max_duration_ms),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact:
            table.add_row(f"  {name}", fact)
    console.print(table)
    for title, schema in (("payload", task.payload_schema), ("output", task.output_schema)):
        if schema:
            console.print(Text(f"\n{title} schema", style="dim"))
            console.print(json_text(schema))
    example = example_of(task.payload_schema)
    payload = "" if example is None else f" --payload {quote(json_text(example, None))}"
    console.print(Text("\ntry", style="dim"))
    console.print(f"detent tasks trigger {quote(task.id)}{payload} --wait", soft_wrap=True)


def _place(task: TaskView, root: Path) -> str:
    file = Path(task.file)
    shown = file.relative_to(root) if file.is_relative_to(root) else file
    return f"{shown}:{task.line}" if task.file else ""


def _pauses(retry: dict[str, Any] | None) -> str:
    if not retry or retry.get("max_attempts") == 1:
        return ""
    parts = [f"{name.replace('_', ' ')} {value}" for name, value in retry.items() if name != "max_attempts"]
    return f" ({', '.join(parts)})" if parts else ""
