"""What clients ask about alerts, see `calls`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter

from ..errors import InvalidOptions
from ..model.alert_views import AlertMade, AlertView, DeliveryDetail, DeliveryPage
from ..model.duration import Duration, parse_duration
from .calls import Call, texts

__all__ = [
    "alert_values",
    "create_alert",
    "delete_alert",
    "delivery_filters",
    "list_alerts",
    "list_deliveries",
    "replay_delivery",
    "retrieve_alert",
    "retrieve_delivery",
    "rotate_secret",
    "send_test",
    "update_alert",
]

_alerts = TypeAdapter(list[AlertView])


def alert_values(
    *,
    events: str | Iterable[str] | None,
    webhook: str | None,
    slack: str | None,
    email: str | Iterable[str] | None,
    name: str | None,
    task: str | Iterable[str] | None,
    tag: str | Iterable[str] | None,
    fingerprint: str | Iterable[str] | None,
    only: str | Iterable[str] | None,
    queue: str | Iterable[str] | None,
    threshold: int | None,
    after: Duration | None,
    window: Duration | None,
    enabled: bool | None = None,
) -> dict[str, Any]:
    """What is given of an alert, as plain values."""
    several = {"events": events, "email": email, "task": task, "tag": tag, "fingerprint": fingerprint, "only": only}
    values: dict[str, Any] = {
        **{key: None if value is None else texts(value) for key, value in (several | {"queue": queue}).items()},
        "webhook": webhook,
        "slack": slack,
        "name": name,
        "threshold": threshold,
        "after": None if after is None else f"{parse_duration(after, 'after')}ms",
        "window": None if window is None else f"{parse_duration(window, 'window')}ms",
        "enabled": enabled,
    }
    return {key: value for key, value in values.items() if value is not None}


def list_alerts() -> Call[list[AlertView]]:
    return Call("alerts.list", {}, lambda answer: _alerts.validate_python(answer["items"]))


def create_alert(values: Mapping[str, Any]) -> Call[AlertMade]:
    return Call("alerts.create", dict(values), AlertMade.model_validate)


def retrieve_alert(alert_id: str) -> Call[AlertView]:
    return Call("alerts.retrieve", {"id": alert_id}, AlertView.model_validate)


def update_alert(alert_id: str, values: Mapping[str, Any]) -> Call[AlertMade]:
    return Call("alerts.update", {"id": alert_id, **values}, AlertMade.model_validate)


def delete_alert(alert_id: str) -> Call[AlertView]:
    return Call("alerts.delete", {"id": alert_id}, AlertView.model_validate)


def send_test(alert_id: str) -> Call[DeliveryDetail]:
    return Call("alerts.test", {"id": alert_id}, DeliveryDetail.model_validate)


def rotate_secret(alert_id: str) -> Call[AlertMade]:
    return Call("alerts.rotate_secret", {"id": alert_id}, AlertMade.model_validate)


def delivery_filters(alert: str | None, status: str | Iterable[str] | None, limit: int) -> dict[str, Any]:
    """The filters of a list as plain values."""
    if not 1 <= limit <= 100:
        raise InvalidOptions(f"limit must be from 1 to 100 messages a page, got {limit}; iterate to read further pages")
    values: dict[str, Any] = {"alert": alert, "status": [name.upper() for name in texts(status)], "limit": limit}
    return {name: value for name, value in values.items() if value not in (None, [])}


def list_deliveries(filters: Mapping[str, Any], cursor: str | None) -> Call[DeliveryPage]:
    values = dict(filters)
    if cursor is not None:
        values["cursor"] = cursor
    return Call("alerts.deliveries", values, DeliveryPage.model_validate)


def retrieve_delivery(delivery_id: str) -> Call[DeliveryDetail]:
    return Call("alerts.delivery", {"id": delivery_id}, DeliveryDetail.model_validate)


def replay_delivery(delivery_id: str) -> Call[DeliveryDetail]:
    return Call("alerts.replay", {"id": delivery_id}, DeliveryDetail.model_validate)
