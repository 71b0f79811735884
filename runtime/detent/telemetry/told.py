"""What a run wrote, and what any place that keeps it can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from ..model.limits import LOG_LINES_PER_RUN, SPANS_PER_RUN
from ..model.log_query import LineQuery
from ..model.protocol import Emit

__all__ = ["LEVELS", "Telemetry", "Told", "as_line", "not_kept"]

LEVELS = {"debug": 0, "info": 1, "warn": 2, "error": 3}
_NAMES = {rank: name for name, rank in LEVELS.items()}


class Told(NamedTuple):
    """What a run wrote, with the environment and the task that it belongs to."""

    emit: Emit
    env: str
    task: str

    @property
    def size(self) -> int:
        """Lines and spans."""
        return len(self.emit.logs) + len(self.emit.spans)


class Telemetry(Protocol):
    """Logs and spans of runs. Losing them, or the place they are kept in, never hurts a run."""

    @property
    def path(self) -> Path | None:
        """The file that they are kept in; None where they are in the database server."""
        ...

    def append(self, emit: Emit, env: str = "dev", task: str = "") -> None:
        """Take what a run of this environment and task wrote. Returns at once; never raises."""
        ...

    def logs(
        self, run_id: str, level: str | None = None, after: int | None = None, limit: int = 1_000
    ) -> list[dict[str, Any]]:
        """Lines of a run, oldest first.

        Parameters:
          level: this one and those above it. `after`: only lines of a higher `seq`. `limit`: most lines.

        Returns dictionaries with seq, at (milliseconds since 1970), level, message, attributes, span_id,
        source and attempt. One line of source ``detent`` says how many were not kept.
        """
        ...

    def search(self, query: LineQuery) -> tuple[list[dict[str, Any]], int | None]:
        """Lines of all runs of an environment, as `logs` gives them, with `run_id` and `task`; and the seq to go on
        from, None when all was looked at."""
        ...

    def spans(self, run_id: str) -> list[dict[str, Any]]:
        """Finished spans of a run by their start; times in milliseconds since 1970, attributes as JSON
        text."""
        ...

    def forget(self, run_ids: Sequence[str]) -> None:
        """Remove all that was kept of these runs, which have ended; it is gone when this returns, unless the place
        where it is kept fails."""
        ...

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait, at most `timeout` seconds, until all that was taken so far is written; whether it is."""
        ...

    def close(self) -> None:
        """Write what was taken, and let go."""
        ...


def as_line(row: dict[str, Any]) -> dict[str, Any]:
    """A line as it is told: its level by name, its attributes as data."""
    row["level"] = _NAMES[row["level"]]
    row["attributes"] = msgspec.json.decode(row["attributes"]) if row["attributes"] else None
    return row


def not_kept(lines: int, spans: int) -> str:
    """What a run is told of what it wrote beyond its share."""
    parts = []
    if lines:
        parts.append(f"{lines:,} log lines (a run keeps {LOG_LINES_PER_RUN:,})")
    if spans:
        parts.append(f"{spans:,} spans (a run keeps {SPANS_PER_RUN:,})")
    return f"not kept: {' and '.join(parts)}"
