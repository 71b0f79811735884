"""Runs that nobody executes as things are: there is no worker for them, or no version."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detent.model.views import RunDetail

__all__ = ["unattended"]

#: Reasons that somebody has to see to; others pass by themselves.
_CODES = frozenset({"no_worker", "pending_version", "unserved_machine", "unserved_queue", "unserved_version"})


def unattended(run: RunDetail) -> str | None:
    """Why nobody executes a run, and what to do; None where it runs, has ended, or waits its turn."""
    reason = run.not_running
    return reason.message if reason is not None and reason.code in _CODES else None
