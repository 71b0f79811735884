"""Where commands print: tables and notes for people, one JSON document for programs."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["clean", "json_text", "notes", "print_json", "stdout", "tell_error"]

#: Columns of tables that are read by programs or paged: nothing is cut there.
WIDE = 1000

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def stdout() -> Console:
    """Standard output, as wide as the terminal; wide enough for everything when it is none."""
    return _console(stderr=False)


def notes() -> Console:
    """Standard error: progress, problems, hints. Never part of what a program reads."""
    return _console(stderr=True)


def tell_error(message: str, *more: str) -> None:
    """Say on standard error what went wrong: one line, and beneath it `more` about it."""
    import typer

    sys.stdout.flush()
    typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
    typer.echo(clean(message), err=True)
    for line in more:
        typer.echo(f"  {clean(line)}", err=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if is_terminal or os.environ.get("COLUMNS") else WIDE
    # Texts of users are data: no markup, no emoji codes, no colouring by guess.
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


def clean(text: str) -> str:
    """`text` with its control characters made visible, so that no run can steer the reader's terminal."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text.replace("\r\n", "\n"))


def json_text(value: Any, indent: int | None = 2) -> str:
    """`value` as JSON; views of runs, tasks and queues are written as their fields."""
    plain_text = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return json.dumps(value, indent=indent, ensure_ascii=not plain_text, default=_plain)


def print_json(value: Any, indent: int | None = 2) -> None:
    """Print `value` as one JSON document."""
    print(json_text(value, indent))  # noqa: T201


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json")
