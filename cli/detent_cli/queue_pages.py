"""Queues and their keys as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from detent.model.queue_views import QueueKey
from detent.model.views import QueueView
from detent_cli.console import clean, stdout
from detent_cli.styles import local_time

__all__ = ["print_keys", "print_queue", "print_queues"]


def print_queues(found: Sequence[QueueView]) -> None:
    """A table, by name."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("QUEUE", overflow="ellipsis", no_wrap=True)
    for title in ("RUNNING", "LIMIT", "PER KEY", "QUEUED"):
        table.add_column(title, justify="right")
    table.add_column("")
    for queue in found:
        remarks = ["paused"] if queue.paused else []
        if queue.overridden_at is not None:
            remarks.append(f"declared {_number(queue.declared_limit)}")
        table.add_row(
            clean(queue.name),
            str(queue.running),
            _number(queue.limit),
            _number(queue.limit_per_key),
            str(queue.queued),
            ", ".join(remarks),
            style="yellow" if queue.paused else "",
        )
    stdout().print(table)


def print_queue(queue: QueueView) -> None:
    """All that is known of a queue."""
    console = stdout()
    console.print(Text.assemble((clean(queue.name), "bold"), ("  paused" if queue.paused else "", "yellow")))
    facts = {"running": str(queue.running), "queued": str(queue.queued), "limit": _number(queue.limit)}
    if queue.overridden_at is not None:
        until = "" if queue.override_until is None else f", until {local_time(queue.override_until)}"
        facts["declared"] = (
            f"{_number(queue.declared_limit)}, overridden since {local_time(queue.overridden_at)}{until}"
        )
    if queue.limit_per_key is not None:
        facts["limit per key"] = str(queue.limit_per_key)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        table.add_row(f"  {name}", fact)
    console.print(table)


def print_keys(keys: Sequence[QueueKey]) -> None:
    """A table, those with the most runs first."""
    if not keys:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("KEY", overflow="ellipsis", no_wrap=True)
    for title in ("RUNNING", "QUEUED"):
        table.add_column(title, justify="right")
    for key in keys:
        table.add_row(clean(key.key) or Text("(none)", style="dim"), str(key.running), str(key.queued))
    stdout().print(table)


def _number(limit: int | None) -> str:
    return "-" if limit is None else str(limit)
