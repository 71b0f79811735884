"""Where the lines and spans of a project are kept."""

from __future__ import annotations

from pathlib import Path

from .store import TelemetryStore
from .told import Telemetry

__all__ = ["open_telemetry"]


def open_telemetry(url: str, path: Path) -> Telemetry:
    """The place for what runs write.

    Parameters:
      url: of the database that the runs are in. `path`: the file beside it, where that is a file itself.
    """
    if url.startswith("sqlite"):
        return TelemetryStore(path)
    from .postgresql import PostgresTelemetry

    return PostgresTelemetry(url)
