"""Batches as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from detent.model.batch_views import BatchDetail, BatchSummary
from detent.model.views import RunOutcome
from detent_cli.console import clean, json_text, stdout
from detent_cli.styles import ago, local_time, one_line, status_text

__all__ = ["print_batch", "print_batches"]

_STYLES = {"COMPLETED": "green", "PARTIAL_FAILED": "bold red", "PROCESSING": "cyan", "PENDING": "yellow"}


def print_batches(batches: Sequence[BatchSummary]) -> None:
    """A table, newest first."""
    if not batches:
        return
    console = stdout()
    moment = ago if console.is_terminal else local_time
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("BATCH", "STATUS", "CREATED"):
        table.add_column(title, no_wrap=True)
    table.add_column("RUNS", justify="right")
    table.add_column("", no_wrap=True, overflow="ellipsis")
    for batch in batches:
        table.add_row(batch.id, _status(batch), moment(batch.created_at), str(batch.total), _counts(batch))
    console.print(table)


def print_batch(batch: BatchDetail, outcomes: Sequence[RunOutcome]) -> None:
    """All that is known of a batch, and its runs."""
    console = stdout()
    console.print(Text.assemble((batch.id, "bold"), "  ", _status(batch)))
    facts = {
        "runs": f"{batch.total:,}: {_counts(batch)}",
        "triggered by": batch.parent_id or "",
        "created": local_time(batch.created_at),
        "finished": "" if batch.finished_at is None else local_time(batch.finished_at),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact:
            table.add_row(f"  {name}", fact)
    console.print(table)
    console.print()
    for outcome in outcomes:
        console.print(Text.assemble(outcome.id, "  ", status_text(outcome.status), "  ", _ending(outcome)))
    if not outcomes:
        for run_id in batch.runs:
            console.print(run_id)


def _status(batch: BatchSummary) -> Text:
    return Text(batch.status, style=_STYLES.get(batch.status, ""))


def _counts(batch: BatchSummary) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in sorted(batch.counts.items()))


def _ending(outcome: RunOutcome) -> str:
    if outcome.error is not None:
        return one_line(f"{outcome.error.type}: {outcome.error.message}")
    return clean(one_line(json_text(outcome.output, indent=None))) if outcome.ok else ""
