"""The alerts of a client, blocking and awaited."""

from __future__ import annotations

import builtins
from collections.abc import Iterable

from ..model.alert_views import AlertMade, AlertView, DeliveryDetail, DeliveryPage
from ..model.duration import Duration
from ..model.transport import Transport
from . import alert_calls as calls
from .pages import AsyncDeliveries, Deliveries

__all__ = ["AlertsResource", "AsyncAlertsResource"]


class AlertsResource:
    """Alerts: who is told of what, and how the messages fare."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> builtins.list[AlertView]:
        """The alerts of the environment, oldest first."""
        return calls.list_alerts().ask(self._transport)

    def retrieve(self, alert_id: str) -> AlertView:
        """One alert. Errors: `NotFound`."""
        return calls.retrieve_alert(alert_id).ask(self._transport)

    def create(
        self,
        *,
        events: str | Iterable[str],
        webhook: str | None = None,
        slack: str | None = None,
        email: str | Iterable[str] | None = None,
        name: str | None = None,
        task: str | Iterable[str] | None = None,
        tag: str | Iterable[str] | None = None,
        fingerprint: str | Iterable[str] | None = None,
        only: str | Iterable[str] | None = None,
        queue: str | Iterable[str] | None = None,
        threshold: int | None = None,
        after: Duration | None = None,
        window: Duration | None = None,
    ) -> AlertMade:
        """Make an alert with one of `webhook`, `slack` and `email`. The `secret` of a webhook is shown this once.

        Parameters:
          events: ``run.failed``, ``run.completed``, ``deployment.finished``, ``queue.too_long``, ``worker.none``; one
            or several.
          webhook, slack: the address that messages are sent to. `email`: one address or several.
          task, tag, fingerprint: of runs; one, or several of which one must fit. `only`: of failures, those that are
            ``first_seen``, or a ``regression``.
          queue: the queues that are watched; all when None. `threshold`: so many queued runs are still all right.
          after: how long a state must last; at once for a queue, 1 minute without a worker.
          window: how long events on one matter are gathered into one message; 1 minute, 0 for a message each.

        Errors: `InvalidOptions`, `LimitExceeded`.
        """
        values = calls.alert_values(
            events=events,
            webhook=webhook,
            slack=slack,
            email=email,
            name=name,
            task=task,
            tag=tag,
            fingerprint=fingerprint,
            only=only,
            queue=queue,
            threshold=threshold,
            after=after,
            window=window,
        )
        return calls.create_alert(values).ask(self._transport)

    def update(
        self,
        alert_id: str,
        *,
        events: str | Iterable[str] | None = None,
        webhook: str | None = None,
        slack: str | None = None,
        email: str | Iterable[str] | None = None,
        name: str | None = None,
        task: str | Iterable[str] | None = None,
        tag: str | Iterable[str] | None = None,
        fingerprint: str | Iterable[str] | None = None,
        only: str | Iterable[str] | None = None,
        queue: str | Iterable[str] | None = None,
        threshold: int | None = None,
        after: Duration | None = None,
        window: Duration | None = None,
        enabled: bool | None = None,
    ) -> AlertMade:
        """Change what is given of an alert; an empty list takes a filter away. Parameters: as of `create`.

        Parameters:
          enabled: switch it on again, or off: what is still to be sent then has failed, and can be replayed.

        Errors: `NotFound`, `InvalidOptions`.
        """
        values = calls.alert_values(
            events=events,
            webhook=webhook,
            slack=slack,
            email=email,
            name=name,
            task=task,
            tag=tag,
            fingerprint=fingerprint,
            only=only,
            queue=queue,
            threshold=threshold,
            after=after,
            window=window,
            enabled=enabled,
        )
        return calls.update_alert(alert_id, values).ask(self._transport)

    def delete(self, alert_id: str) -> AlertView:
        """Remove an alert; its deliveries stay in the log until they are old. Errors: `NotFound`."""
        return calls.delete_alert(alert_id).ask(self._transport)

    def test(self, alert_id: str) -> DeliveryDetail:
        """Send a message that says that it is a test, once. Its outcome follows: `delivery` shows it.

        Errors: `NotFound`.
        """
        return calls.send_test(alert_id).ask(self._transport)

    def rotate_secret(self, alert_id: str) -> AlertMade:
        """Make a new secret, shown this once. For 24 hours messages carry the signature of the old one as well.

        Errors: `NotFound`; `Conflict` for an alert that is no webhook.
        """
        return calls.rotate_secret(alert_id).ask(self._transport)

    def deliveries(
        self,
        *,
        alert: str | None = None,
        status: str | Iterable[str] | None = None,
        limit: int = 25,
        cursor: str | None = None,
    ) -> Deliveries:
        """Messages and how they fared, newest first. Iterate over it: further pages are fetched as needed.

        Parameters:
          alert: the id of one alert; all when None.
          status: ``PENDING``, ``DELIVERED``, ``FAILED``; one, or several of which one must fit.
          limit: messages of a page, 1 to 100. `cursor`: where to go on, from `DeliveryPage.next_cursor`.
        """
        filters = calls.delivery_filters(alert, status, limit)

        def fetch(where: str | None) -> DeliveryPage:
            return calls.list_deliveries(filters, where).ask(self._transport)

        return Deliveries(fetch, cursor)

    def delivery(self, delivery_id: str) -> DeliveryDetail:
        """One message: what it said, and each of its tries. Errors: `NotFound`."""
        return calls.retrieve_delivery(delivery_id).ask(self._transport)

    def replay(self, delivery_id: str) -> DeliveryDetail:
        """Send a message again, under the same id, that has arrived or has failed.

        Errors: `NotFound`; `Conflict` while it is on its way, and when its alert is deleted or switched off.
        """
        return calls.replay_delivery(delivery_id).ask(self._transport)


class AsyncAlertsResource:
    """Alerts: who is told of what, and how the messages fare."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> builtins.list[AlertView]:
        """The alerts of the environment, oldest first."""
        return await calls.list_alerts().ask_async(self._transport)

    async def retrieve(self, alert_id: str) -> AlertView:
        """One alert. Errors: `NotFound`."""
        return await calls.retrieve_alert(alert_id).ask_async(self._transport)

    async def create(
        self,
        *,
        events: str | Iterable[str],
        webhook: str | None = None,
        slack: str | None = None,
        email: str | Iterable[str] | None = None,
        name: str | None = None,
        task: str | Iterable[str] | None = None,
        tag: str | Iterable[str] | None = None,
        fingerprint: str | Iterable[str] | None = None,
        only: str | Iterable[str] | None = None,
        queue: str | Iterable[str] | None = None,
        threshold: int | None = None,
        after: Duration | None = None,
        window: Duration | None = None,
    ) -> AlertMade:
        """Make an alert with one of `webhook`, `slack` and `email`. The `secret` of a webhook is shown this once.

        Parameters:
          events: ``run.failed``, ``run.completed``, ``deployment.finished``, ``queue.too_long``, ``worker.none``; one
            or several.
          webhook, slack: the address that messages are sent to. `email`: one address or several.
          task, tag, fingerprint: of runs; one, or several of which one must fit. `only`: of failures, those that are
            ``first_seen``, or a ``regression``.
          queue: the queues that are watched; all when None. `threshold`: so many queued runs are still all right.
          after: how long a state must last; at once for a queue, 1 minute without a worker.
          window: how long events on one matter are gathered into one message; 1 minute, 0 for a message each.

        Errors: `InvalidOptions`, `LimitExceeded`.
        """
        values = calls.alert_values(
            events=events,
            webhook=webhook,
            slack=slack,
            email=email,
            name=name,
            task=task,
            tag=tag,
            fingerprint=fingerprint,
            only=only,
            queue=queue,
            threshold=threshold,
            after=after,
            window=window,
        )
        return await calls.create_alert(values).ask_async(self._transport)

    async def update(
        self,
        alert_id: str,
        *,
        events: str | Iterable[str] | None = None,
        webhook: str | None = None,
        slack: str | None = None,
        email: str | Iterable[str] | None = None,
        name: str | None = None,
        task: str | Iterable[str] | None = None,
        tag: str | Iterable[str] | None = None,
        fingerprint: str | Iterable[str] | None = None,
        only: str | Iterable[str] | None = None,
        queue: str | Iterable[str] | None = None,
        threshold: int | None = None,
        after: Duration | None = None,
        window: Duration | None = None,
        enabled: bool | None = None,
    ) -> AlertMade:
        """Change what is given of an alert; an empty list takes a filter away. Parameters: as of `create`.

        Parameters:
          enabled: switch it on again, or off: what is still to be sent then has failed, and can be replayed.

        Errors: `NotFound`, `InvalidOptions`.
        """
        values = calls.alert_values(
            events=events,
            webhook=webhook,
            slack=slack,
            email=email,
            name=name,
            task=task,
            tag=tag,
            fingerprint=fingerprint,
            only=only,
            queue=queue,
            threshold=threshold,
            after=after,
            window=window,
            enabled=enabled,
        )
        return await calls.update_alert(alert_id, values).ask_async(self._transport)

    async def delete(self, alert_id: str) -> AlertView:
        """Remove an alert; its deliveries stay in the log until they are old. Errors: `NotFound`."""
        return await calls.delete_alert(alert_id).ask_async(self._transport)

    async def test(self, alert_id: str) -> DeliveryDetail:
        """Send a message that says that it is a test, once. Its outcome follows: `delivery` shows it.

        Errors: `NotFound`.
        """
        return await calls.send_test(alert_id).ask_async(self._transport)

    async def rotate_secret(self, alert_id: str) -> AlertMade:
        """Make a new secret, shown this once. For 24 hours messages carry the signature of the old one as well.

        Errors: `NotFound`; `Conflict` for an alert that is no webhook.
        """
        return await calls.rotate_secret(alert_id).ask_async(self._transport)

    def deliveries(
        self,
        *,
        alert: str | None = None,
        status: str | Iterable[str] | None = None,
        limit: int = 25,
        cursor: str | None = None,
    ) -> AsyncDeliveries:
        """Messages and how they fared, newest first. Iterate over it: further pages are fetched as needed.

        Parameters:
          alert: the id of one alert; all when None.
          status: ``PENDING``, ``DELIVERED``, ``FAILED``; one, or several of which one must fit.
          limit: messages of a page, 1 to 100. `cursor`: where to go on, from `DeliveryPage.next_cursor`.
        """
        filters = calls.delivery_filters(alert, status, limit)

        async def fetch(where: str | None) -> DeliveryPage:
            return await calls.list_deliveries(filters, where).ask_async(self._transport)

        return AsyncDeliveries(fetch, cursor)

    async def delivery(self, delivery_id: str) -> DeliveryDetail:
        """One message: what it said, and each of its tries. Errors: `NotFound`."""
        return await calls.retrieve_delivery(delivery_id).ask_async(self._transport)

    async def replay(self, delivery_id: str) -> DeliveryDetail:
        """Send a message again, under the same id, that has arrived or has failed.

        Errors: `NotFound`; `Conflict` while it is on its way, and when its alert is deleted or switched off.
        """
        return await calls.replay_delivery(delivery_id).ask_async(self._transport)
