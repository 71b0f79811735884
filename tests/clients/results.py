"""What was tried with which versions, as a page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.clients.packages import PACKAGES

__all__ = ["Results"]

HEAD = """\
# Clients that were tried

Written by `DETENT_CLIENTS_RESULTS=tests/clients/RESULTS.md make clients`. Each client is the published package, in a
home of its own, without a login and without a way to any host but this machine. Models are scripted: a server on this
machine that speaks the API that the client calls its model by.

Taken on {day} (UTC), on Linux.
"""


class Results:
    """Lines by client and thing tried."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], str] = {}
        self._skipped: dict[str, str] = {}

    def see(self, client: str, tried: str, outcome: str) -> None:
        """Note an outcome; the last one for the same thing stays."""
        package = PACKAGES[client]
        self._seen[f"`{package.name}` {package.version}", tried] = outcome

    def skip(self, client: str, why: str) -> None:
        """Note what could not be tried."""
        self._skipped[client] = why

    def write(self, path: Path) -> None:
        """Write the page."""
        rows = [f"| {client} | {tried} | {outcome} |" for (client, tried), outcome in sorted(self._seen.items())]
        table = ["| Client | Tried | Seen |", "|---|---|---|", *rows]
        left = [f"* {client}: {why}" for client, why in sorted(self._skipped.items())] or ["Nothing."]
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        path.write_text("\n".join([HEAD.format(day=day), *table, "", "## Skipped", "", *left]) + "\n")
