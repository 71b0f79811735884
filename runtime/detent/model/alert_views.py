"""Shapes of alerts and of their messages as users see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from .views import View

__all__ = [
    "AlertMade",
    "AlertView",
    "DeliveryAttempt",
    "DeliveryDetail",
    "DeliveryPage",
    "DeliveryStatus",
    "DeliverySummary",
]

DeliveryStatus = Literal["PENDING", "DELIVERED", "FAILED"]


class AlertView(View):
    """Who is told of what.

    `target` is where messages go, without what is secret of it. `task`, `tag`, `fingerprint`, `only`, `queue` limit it,
    empty for all; `threshold`: more queued runs than this are too many; `after_ms`: how long a state must last, None as
    usual for the event. Events on one matter within `window_ms` are one message. `failures`: messages in a row that did
    not arrive; `disabled_reason` says why it was switched off.
    """

    id: str
    name: str
    events: list[str]
    channel: Literal["webhook", "slack", "email"]
    target: str
    task: list[str] = Field(default_factory=list)
    tag: list[str] = Field(default_factory=list)
    fingerprint: list[str] = Field(default_factory=list)
    only: list[str] = Field(default_factory=list)
    queue: list[str] = Field(default_factory=list)
    threshold: int | None = None
    after_ms: int | None = None
    window_ms: int
    enabled: bool
    disabled_reason: str | None = None
    failures: int = 0
    created_at: datetime
    updated_at: datetime


class AlertMade(AlertView):
    """An alert, with the `secret` that its webhooks are signed with where a new one was made: it is shown only then."""

    secret: str | None = None


class DeliveryAttempt(View):
    """One try: when, how long it took, what the receiver answered (the beginning), or what went wrong."""

    n: int
    at: datetime
    duration_ms: int
    ok: bool
    status_code: int | None = None
    error: str | None = None
    response: str = ""


class DeliverySummary(View):
    """A message of an alert as lists show it. `id` is its ``webhook-id``; `count`: how many events it tells of."""

    id: str
    alert_id: str
    event: str
    count: int
    status: DeliveryStatus
    tries: int = 0
    created_at: datetime
    next_try_at: datetime | None = None
    ended_at: datetime | None = None


class DeliveryDetail(DeliverySummary):
    """A message with what it said (`body`), and each of its tries."""

    attempts: list[DeliveryAttempt] = Field(default_factory=list)
    body: dict[str, Any] = Field(default_factory=dict)


class DeliveryPage(View):
    """Some messages, newest first; `next_cursor` leads to the following page, None after the last."""

    items: list[DeliverySummary]
    next_cursor: str | None = None
