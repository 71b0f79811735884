"""Tokens as people read them."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from detent.model.views import TokenDetail, TokenPage
from detent_cli.console import clean, json_text, stdout
from detent_cli.styles import ago, local_time, one_line, status_text

__all__ = ["print_token", "print_tokens"]


def print_tokens(page: TokenPage) -> None:
    """A table, newest first."""
    if not page.items:
        return
    console = stdout()
    moment = ago if console.is_terminal else local_time
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("TOKEN", "STATUS", "CREATED", "TIMES OUT"):
        table.add_column(title, no_wrap=True)
    table.add_column("RUNS", justify="right")
    table.add_column("", no_wrap=True, overflow="ellipsis")
    for token in page.items:
        table.add_row(
            token.id,
            status_text(token.status),
            moment(token.created_at),
            "never" if token.timeout_at is None else moment(token.timeout_at),
            str(len(token.waiting_runs)),
            " ".join(f"#{one_line(tag)}" for tag in token.tags),
        )
    console.print(table)


def print_token(token: TokenDetail) -> None:
    """All that is known of a token."""
    console = stdout()
    console.print(Text.assemble((token.id, "bold"), "  ", status_text(token.status)))
    facts = {
        "complete at": "" if token.status != "WAITING" else token.url,
        "tags": " ".join(f"#{one_line(tag)}" for tag in token.tags),
        "made by": token.run_id or "",
        "created": local_time(token.created_at),
        "times out": "never" if token.timeout_at is None else local_time(token.timeout_at),
        "completed": "" if token.completed_at is None else local_time(token.completed_at),
        "waited for by": " ".join(token.waiting_runs),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact:
            table.add_row(f"  {name}", fact)
    console.print(table)
    if token.status == "COMPLETED":
        console.print(Text("\noutput", style="dim"))
        console.print(clean(json_text(token.output)))
