"""A file in which each call is noted: when, by whom, with what, how it ended and how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from detent.errors import ConfigError

from .results import encode
from .untrusted import cut, shown

__all__ = ["CallLog"]


class CallLog:
    """Appends one line of JSON for each call. Secrets are taken out, and what is long is cut.

    Errors: `ConfigError` when the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("a").close()
        except OSError as error:
            raise ConfigError(f"--log-file {path} cannot be written: {error.strerror}") from None

    def note(self, *, client: str, tool: str, values: Mapping[str, Any], outcome: str, ms: float, size: int) -> None:
        """Note a call. `outcome`: ``ok``, ``cancelled``, or the code of an error. `size`: characters of the result."""
        told = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "client": client,
            "tool": tool,
            "arguments": shown(dict(values), 1_000),
            "outcome": outcome,
            "ms": round(ms, 1),
            "characters": size,
        }
        # Opened anew each time, so that it may be moved away meanwhile.
        with self._path.open("a", encoding="utf-8") as file:
            file.write(cut(encode(told), 4_000) + "\n")
