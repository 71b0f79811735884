"""How statuses, levels, times and names look to people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from detent.model.duration import format_duration
from detent_cli.console import clean

__all__ = ["ago", "clock_time", "local_time", "milliseconds", "one_line", "short_ids", "status_text", "took"]

#: An id in a table: its prefix, its milliseconds and some chance.
_SHORTEST_ID = 20

_STATUS = {
    "PENDING_VERSION": "magenta",
    "DELAYED": "magenta",
    "QUEUED": "yellow",
    "DEQUEUED": "cyan",
    "EXECUTING": "cyan",
    "WAITING": "blue",
    "COMPLETED": "green",
    "FAILED": "bold red",
    "CANCELED": "dim",
    "CRASHED": "bold red",
    "TIMED_OUT": "bold red",
    "EXPIRED": "dim",
    "SYSTEM_FAILURE": "bold red",
}


def status_text(status: str) -> Text:
    """A status in its colour."""
    return Text(str(status), style=_STATUS.get(str(status), ""))


def ago(moment: datetime | None) -> str:
    """How long ago `moment` was, roughly: "3m ago"; "in 2h" when it is to come."""
    if moment is None:
        return ""
    ms = milliseconds(moment, datetime.now(UTC))
    roughly = format_duration(abs(ms) // 1000 * 1000).partition(" ")[0].replace("0ms", "0s")
    return f"in {roughly}" if ms < 0 else f"{roughly} ago"


def took(start: datetime | None, end: datetime | None) -> str:
    """The time from `start` to `end`, up to now while it goes on."""
    if start is None:
        return ""
    return format_duration(max(0.0, milliseconds(start, end or datetime.now(UTC))))


def milliseconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() * 1000


def local_time(moment: datetime) -> str:
    """Date and time where the reader is."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def clock_time(moment: datetime) -> str:
    """The time of day with milliseconds, where the reader is."""
    local = moment.astimezone()
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"


def one_line(text: Any, most: int = 200) -> str:
    """`text` without line ends, at most `most` characters."""
    line = " ".join(clean(str(text)).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """The beginnings by which `ids` differ, all of one length."""
    length = _SHORTEST_ID
    wanted = len(set(ids))
    longest = max(map(len, ids), default=0)
    while length < longest and len({whole[:length] for whole in ids}) < wanted:
        length += 1
    return {whole: whole[:length] for whole in ids}
