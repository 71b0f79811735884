"""What is told of a trigger that is only checked."""

from __future__ import annotations

from datetime import datetime

from .status import Status
from .views import QueueView, View

__all__ = ["TriggerCheck"]


class TriggerCheck(View):
    """Where a run would go.

    `status` is the one that it would begin with. `payload_checked`: the task has a schema, which the payload fits.
    `served`: a connected worker runs the task now. `max_attempts`: None where nothing is known of the task.
    """

    task: str
    status: Status
    payload_checked: bool
    queue: QueueView
    served: bool
    delay_until: datetime | None = None
    max_attempts: int | None = None
