"""The statuses of a run. The names are the ones that the field's users know (DESIGN.md section 3)."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["FINAL", "KEY_RELEASING", "Status", "shown_status"]


class Status(StrEnum):
    """What a run is doing. ``DEQUEUED`` is shown, never stored: claimed, first line of user code not yet
    reported."""

    PENDING_VERSION = "PENDING_VERSION"
    DELAYED = "DELAYED"
    QUEUED = "QUEUED"
    DEQUEUED = "DEQUEUED"
    EXECUTING = "EXECUTING"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    CRASHED = "CRASHED"
    TIMED_OUT = "TIMED_OUT"
    EXPIRED = "EXPIRED"
    SYSTEM_FAILURE = "SYSTEM_FAILURE"


#: A run in one of these never changes again; the first compare-and-set wins.
FINAL = frozenset(
    {
        Status.COMPLETED,
        Status.FAILED,
        Status.CANCELED,
        Status.CRASHED,
        Status.TIMED_OUT,
        Status.EXPIRED,
        Status.SYSTEM_FAILURE,
    }
)

#: Ending like this releases the idempotency key, so that the next trigger starts a new run
#: (reference trigger-dev.md section 3: completed and canceled runs keep it).
KEY_RELEASING = FINAL - {Status.COMPLETED, Status.CANCELED}


def shown_status(state: str, started: bool) -> str:
    """The status a person sees for the stored `state`: a claimed run that has not `started` is
    ``DEQUEUED``."""
    return Status.DEQUEUED.value if state == Status.EXECUTING.value and not started else state
