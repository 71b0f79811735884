"""The lines that a run wrote."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from detent_cli.console import clean, json_text, print_json, stdout
from detent_cli.styles import clock_time, one_line

if TYPE_CHECKING:
    from detent.client import Detent
    from detent.model.views import LogEntry

__all__ = ["print_logs", "shown_line"]

PAGE = 1000
#: Between two looks at a run that is followed, in seconds.
PAUSE_S = 0.3
#: How long after the end of a run its last lines may arrive, in seconds.
TAIL_S = 0.3

_LEVELS = {"debug": "dim", "info": "cyan", "warn": "yellow", "error": "red"}


def print_logs(client: Detent, run_id: str, level: str | None, *, follow: bool, as_json: bool) -> None:
    """Print what the run wrote; with `follow` until it has ended."""
    if as_json and not follow:
        print_json({"items": list(_lines(client, run_id, level))})
        return
    console = stdout()
    for line in _followed(client, run_id, level) if follow else _lines(client, run_id, level):
        if as_json:
            print(json_text(line, None), flush=True)  # noqa: T201
        else:
            console.print(shown_line(line), soft_wrap=True)


def _lines(client: Detent, run_id: str, level: str | None, after: int | None = None) -> Iterator[LogEntry]:
    while True:
        lines = client.runs.logs(run_id, level=level, after=after, limit=PAGE)
        yield from lines
        if len(lines) < PAGE:
            return
        after = lines[-1].seq


def _followed(client: Detent, run_id: str, level: str | None) -> Iterator[LogEntry]:
    last: int | None = None
    while True:
        is_over = client.runs.result(run_id).is_finished
        if is_over:
            time.sleep(TAIL_S)
        for line in _lines(client, run_id, level, last):
            last = line.seq
            yield line
        if is_over:
            return
        time.sleep(PAUSE_S)


def shown_line(line: LogEntry) -> Text:
    """One line as people read it: time, level, message, attributes."""
    text = Text(clock_time(line.at), style="dim")
    text.append(f" {line.level.upper():5} ", style=_LEVELS.get(line.level, ""))
    if line.source == "detent":
        text.append("detent: ", style="dim")
    text.append(clean(line.message).rstrip("\n"), style="bold" if line.level == "error" else "")
    for name, value in (line.attributes or {}).items():
        shown = value if isinstance(value, str) and value and " " not in value else json_text(value, None)
        text.append(f"  {clean(name)}=", style="dim")
        text.append(one_line(shown, 400))
    return text
