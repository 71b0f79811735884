"""Alerts and their messages as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from detent.model.alert_views import AlertView, DeliveryDetail, DeliveryPage
from detent.model.duration import format_duration
from detent_cli.console import clean, json_text, stdout
from detent_cli.styles import ago, local_time, one_line

__all__ = ["print_alert", "print_alerts", "print_deliveries", "print_delivery"]

_STYLE = {"PENDING": "yellow", "DELIVERED": "green", "FAILED": "bold red"}


def print_alerts(alerts: Sequence[AlertView]) -> None:
    """A table, oldest first."""
    console = stdout()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("ALERT", "NAME", "EVENTS", "TO", ""):
        table.add_column(title, no_wrap=True, overflow="ellipsis")
    for alert in alerts:
        table.add_row(
            alert.id,
            one_line(alert.name),
            ", ".join(alert.events),
            one_line(alert.target),
            Text("" if alert.enabled else "off", style="bold red"),
        )
    console.print(table)


def print_alert(alert: AlertView) -> None:
    """All that is known of an alert."""
    console = stdout()
    console.print(Text.assemble((alert.id, "bold"), "  ", one_line(alert.name)))
    facts = {
        "events": ", ".join(alert.events),
        "to": f"{alert.channel} {alert.target}",
        "tasks": ", ".join(alert.task),
        "tags": " ".join(f"#{tag}" for tag in alert.tag),
        "errors": ", ".join(alert.fingerprint),
        "only": ", ".join(alert.only),
        "queues": ", ".join(alert.queue),
        "threshold": "" if alert.threshold is None else f"{alert.threshold:,} queued runs",
        "after": "" if alert.after_ms is None else format_duration(alert.after_ms),
        "window": format_duration(alert.window_ms),
        "switched off": alert.disabled_reason or "",
        "failures": f"{alert.failures} messages in a row" if alert.failures else "",
        "created": local_time(alert.created_at),
    }
    console.print(_table(facts))


def print_deliveries(page: DeliveryPage) -> None:
    """A table, newest first."""
    if not page.items:
        return
    console = stdout()
    moment = ago if console.is_terminal else local_time
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("MESSAGE", "STATUS", "EVENT"):
        table.add_column(title, no_wrap=True)
    for title in ("COUNT", "TRIES"):
        table.add_column(title, justify="right")
    for title in ("CREATED", "NEXT TRY", "ALERT"):
        table.add_column(title, no_wrap=True)
    for message in page.items:
        table.add_row(
            message.id,
            Text(message.status, style=_STYLE[message.status]),
            message.event,
            f"{message.count:,}",
            str(message.tries),
            moment(message.created_at),
            "" if message.next_try_at is None else moment(message.next_try_at),
            message.alert_id,
        )
    console.print(table)


def print_delivery(message: DeliveryDetail) -> None:
    """A message with its tries and its text."""
    console = stdout()
    console.print(Text.assemble((message.id, "bold"), "  ", (message.status, _STYLE[message.status])))
    facts = {
        "alert": message.alert_id,
        "event": f"{message.event} ({message.count:,})",
        "created": local_time(message.created_at),
        "next try": "" if message.next_try_at is None else local_time(message.next_try_at),
    }
    for attempt in message.attempts:
        said = attempt.error or one_line(attempt.response)
        status = "" if attempt.status_code is None else f"{attempt.status_code} "
        facts[f"try {attempt.n}"] = f"{local_time(attempt.at)}  {format_duration(attempt.duration_ms)}  {status}{said}"
    console.print(_table(facts))
    console.print()
    console.print(clean(json_text(message.body)))


def _table(facts: dict[str, str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact:
            table.add_row(f"  {name}", clean(fact))
    return table
