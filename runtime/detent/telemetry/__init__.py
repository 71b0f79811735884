"""What runs write about themselves, logs and spans, apart from the store, so that it never delays a commit: in a
file of its own, or in tables of the database that all servers of an installation share."""

from __future__ import annotations

from .opening import open_telemetry
from .store import TelemetryStore
from .told import Telemetry

__all__ = ["Telemetry", "TelemetryStore", "open_telemetry"]
