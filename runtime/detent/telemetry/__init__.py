"""What runs write about themselves, logs and spans, in a file of its own, so that it never delays a
commit."""

from __future__ import annotations

from .store import TelemetryStore

__all__ = ["TelemetryStore"]
