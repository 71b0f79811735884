"""What people and programs see of the concurrency keys of a queue."""

from __future__ import annotations

from .views import View

__all__ = ["QueueKey", "QueueKeyPage"]


class QueueKey(View):
    """A concurrency key of a queue (empty for runs without one): how many of its runs execute, and how many wait."""

    key: str
    running: int = 0
    queued: int = 0


class QueueKeyPage(View):
    """Some keys of a queue, those with the most runs first; `next_cursor` leads to the following page, None after the
    last."""

    items: list[QueueKey]
    next_cursor: str | None = None
