"""`detent report`: whether work flows, and whose a problem is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from detent_cli.options import AsJson
from detent_cli.project import connected

if TYPE_CHECKING:
    from rich.console import Console

    from detent.model.report_views import Report

__all__ = ["report"]

_STYLES = {"ok": "bold green", "degraded": "bold yellow", "failing": "bold red"}


def report(
    period: Annotated[str, typer.Option(metavar="TIME", help="How far back, 1m to 30d.")] = "1h",
    as_json: AsJson = False,
) -> None:
    """Whether work flows, and whether a problem is yours or the platform's. The exit status is 1 when it is failing.

    detent report --period 24h
    """
    with connected() as client:
        found = client.report(period)
    if as_json:
        from detent_cli.console import print_json

        print_json(found)
    else:
        _print(found)
    if found.status == "failing":
        raise typer.Exit(1)


def _print(found: Report) -> None:
    from rich.text import Text

    from detent.model.duration import format_duration
    from detent_cli.console import clean, stdout

    console = stdout()
    head = Text(found.status, style=_STYLES[found.status]).append(f"  {clean(found.summary)}", style="none")
    console.print(head, soft_wrap=True)
    for verdict in found.verdicts:
        line = Text(f"  {verdict.level} ", style=_STYLES[verdict.level]).append(f"{verdict.code} ({verdict.whose}): ")
        console.print(line.append(clean(verdict.message), style="none"), soft_wrap=True)
        for command in verdict.next:
            console.print(Text(f"    {clean(command)}", style="dim"), soft_wrap=True)
    console.print()
    console.print(Text(f"In the last {format_duration(found.period_ms)}", style="dim"))
    _print_flow(console, found)
    _print_execution(console, found)
    _print_liveness(console, found)


def _print_flow(console: Console, found: Report) -> None:
    from detent.model.duration import format_duration
    from detent_cli.console import clean

    flow = found.flow
    console.print(
        f"  flow       {flow.triggered:,} triggered ({flow.triggered_before:,} before), {flow.started:,} have started, "
        f"{flow.finished:,} ended; now {flow.queued:,} queued, {flow.running:,} running, {flow.waiting:,} waiting, "
        f"{flow.delayed:,} delayed",
        soft_wrap=True,
    )
    if flow.oldest is not None:
        oldest = flow.oldest
        text = (
            f"             oldest {oldest.id} ({oldest.task}) for {format_duration(oldest.queued_ms)}: {oldest.reason}"
        )
        console.print(clean(text), soft_wrap=True)
    for queue in flow.queues:
        if queue.queued or queue.running or queue.paused:
            limit = "" if queue.limit is None else f" of {queue.limit}"
            paused = ", paused" if queue.paused else ""
            text = f"             {queue.name}: {queue.queued:,} queued, {queue.running:,}{limit} running{paused}"
            console.print(clean(text), soft_wrap=True)


def _print_execution(console: Console, found: Report) -> None:
    from detent.model.duration import format_duration
    from detent_cli.console import clean

    ran = found.execution
    ended = ", ".join(f"{n:,} {status}" for status, n in ran.by_status.items()) or "nothing ended"
    rate = "" if ran.failure_rate is None else f"; {ran.failure_rate:.1%} failed"
    before = "" if ran.failure_rate_before is None else f" ({ran.failure_rate_before:.1%} before)"
    console.print(f"  execution  {ended}{rate}{before}; {ran.retried:,} needed a retry", soft_wrap=True)
    for error in ran.top_errors:
        text = f"             {error.count:,} x {error.type}: {error.message}  {error.run_id}"
        console.print(clean(text), soft_wrap=True)
    for task in ran.tasks:
        if task.p50_ms is not None and task.p95_ms is not None:
            times = f"half within {format_duration(task.p50_ms)}, 95 % within {format_duration(task.p95_ms)}"
            text = f"             {task.task}: {task.finished:,} ended, {task.failed:,} failed, {times}"
            console.print(clean(text), soft_wrap=True)


def _print_liveness(console: Console, found: Report) -> None:
    from detent.model.duration import format_duration
    from detent_cli.console import clean

    live = found.liveness
    free = "" if live.disk_free_bytes is None else f", {live.disk_free_bytes / 1024**3:,.1f} GiB free"
    took = "" if live.store_ms is None else f"a write takes {live.store_ms:g} ms"
    console.print(f"  liveness   {live.connected} workers connected; {took}{free}", soft_wrap=True)
    for worker in live.workers:
        late = f", {format_duration(worker.lag_ms)} late" if worker.lag_ms else ""
        text = f"             {worker.id} on {worker.host}: heard of {format_duration(worker.beat_ms)} ago{late}"
        console.print(clean(text), soft_wrap=True)
