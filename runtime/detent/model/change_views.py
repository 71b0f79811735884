"""What comes of changes to a run."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .status import Status
from .views import View

__all__ = ["KeyReset", "Rescheduled", "RunMetadata", "RunTags"]


class Rescheduled(View):
    """A run that starts at `delay_until`."""

    id: str
    status: Status
    delay_until: datetime


class RunMetadata(View):
    """All metadata of a run."""

    id: str
    metadata: dict[str, Any]


class RunTags(View):
    """All tags of a run."""

    id: str
    tags: list[str]


class KeyReset(View):
    """An idempotency key that was let go. `run_id`: the run that it led to, None where nothing had this key."""

    key: str
    task: str
    run_id: str | None = None
