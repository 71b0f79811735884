"""What clients can ask about alerts. Answers are plain JSON values, and never hold an address that is a secret."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ..errors import Conflict, LimitExceeded, NotFound
from ..model.alerts import ALERTS, EVENTS, NEWS, TEST_EVENT, AlertFilters
from ..model.ids import new_id
from ..vault import Vault
from .alert_deliveries import disable_alert, send_message
from .alert_rules import rule_of
from .alert_secrets import new_secret, sealed
from .alert_values import events_of, filters_of, fitting, name_of, target_of, window_of
from .delivery_lists import DELIVERY_STATUSES, DeliveryFilter, delivery_view, page_of_deliveries
from .engine import Engine
from .queries import Cursor, PageSize, several, whole
from .scene import Scene
from .views import iso

__all__ = ["AlertOperations"]

#: Most deliveries of a page.
PAGE = 100
#: How long a secret signs that was replaced, in milliseconds.
OVERLAP_MS = 24 * 3_600_000

#: Checked here, where near names can be given.
EventName = Annotated[str, Meta(extra_json_schema={"enum": list(EVENTS)})]
NewsName = Annotated[str, Meta(extra_json_schema={"enum": list(NEWS)})]
DeliveryStatusName = Annotated[str, Meta(extra_json_schema={"enum": list(DELIVERY_STATUSES)})]
Threshold = Annotated[int, Meta(ge=0, le=10_000_000)]

_decode = msgspec.json.decode
_encode = msgspec.json.Encoder().encode
_decode_filters = msgspec.json.Decoder(AlertFilters).decode


class AlertOperations:
    """The operations on the alerts of one engine.

    Parameters:
      vault: seals addresses and secrets.
    """

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine = engine
        self._vault = vault

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The operations by the names that transports use."""
        return {
            "alerts.list": self.list,
            "alerts.create": self.create,
            "alerts.retrieve": self.retrieve,
            "alerts.update": self.update,
            "alerts.delete": self.delete,
            "alerts.test": self.test,
            "alerts.rotate_secret": self.rotate_secret,
            "alerts.deliveries": self.deliveries,
            "alerts.delivery": self.delivery,
            "alerts.replay": self.replay,
        }

    def list(self) -> dict[str, Any]:
        """The alerts of this environment, oldest first."""
        rows = self._engine.store.read("list_alerts", env=self._engine.env)
        return {"items": [_view(row) for row in rows]}

    def retrieve(self, *, id: str) -> dict[str, Any]:
        """One alert. Errors: `NotFound`."""
        return _view(self._row(id))

    def create(
        self,
        *,
        events: Sequence[EventName],
        webhook: str | None = None,
        slack: str | None = None,
        email: Sequence[str] | None = None,
        name: str | None = None,
        task: Sequence[str] | None = None,
        tag: Sequence[str] | None = None,
        fingerprint: Sequence[str] | None = None,
        only: Sequence[NewsName] | None = None,
        queue: Sequence[str] | None = None,
        threshold: Threshold | None = None,
        after: str | None = None,
        window: str | None = None,
    ) -> dict[str, Any]:
        """Make an alert. The secret that a webhook is signed with is shown this once.

        `webhook`, `slack` (an address each) or `email` (addresses) say where messages go. `task`, `tag`, `fingerprint`
        and `only` limit the runs, `queue` and `threshold` the queues that are watched; `after` is how long a state must
        last; `window` is how long events on one matter are gathered into one message.

        Errors: `InvalidOptions`, `LimitExceeded`.
        """
        engine = self._engine
        wanted = events_of(several(events))
        target = target_of(webhook, slack, None if email is None else several(email))
        filters = filters_of(
            wanted,
            {
                "task": _several(task),
                "tag": _several(tag),
                "fingerprint": _several(fingerprint),
                "only": _several(only),
                "queue": _several(queue),
                "threshold": threshold,
                "after": after,
            },
        )
        alert_id = new_id("alert", engine.clock.now())
        secret = new_secret() if target.channel == "webhook" else None
        values = {
            "id": alert_id,
            "env": engine.env,
            "name": name_of(name, f"{target.channel}: {', '.join(wanted)}"),
            "events": _encode(wanted).decode(),
            "filters": _encode(filters).decode(),
            "window_ms": window_of(window),
            "channel": target.channel,
            "target": sealed(self._vault, target.text, alert_id),
            "shown_target": target.shown,
            "secret": None if secret is None else sealed(self._vault, secret, alert_id),
            "old_secret": None,
            "old_secret_until": None,
            "enabled": 1,
            "disabled_reason": None,
            "failures": 0,
        }

        def make(scene: Scene) -> None:
            [(n,)] = scene.tx.all("count_alerts", env=scene.env)
            if n >= ALERTS:
                raise LimitExceeded(f"this environment has {n} alerts already, which is the limit; delete some first")
            scene.tx.run("put_alert", **values, created_at=scene.now, updated_at=scene.now)

        engine.write(make)
        return self.retrieve(id=alert_id) | {"secret": secret}

    def update(
        self,
        *,
        id: str,
        events: Sequence[EventName] | None = None,
        webhook: str | None = None,
        slack: str | None = None,
        email: Sequence[str] | None = None,
        name: str | None = None,
        task: Sequence[str] | None = None,
        tag: Sequence[str] | None = None,
        fingerprint: Sequence[str] | None = None,
        only: Sequence[NewsName] | None = None,
        queue: Sequence[str] | None = None,
        threshold: Threshold | None = None,
        after: str | None = None,
        window: str | None = None,
        enabled: bool | None = None,
    ) -> dict[str, Any]:
        """Change what is given of an alert; an empty list takes a filter away.

        `enabled`: switch it on again, or off: what is still to be sent then has failed, and can be replayed. An alert
        that becomes a webhook gets a secret, which is shown this once.

        Errors: `NotFound`, `InvalidOptions`.
        """
        given = {
            "task": _several(task),
            "tag": _several(tag),
            "fingerprint": _several(fingerprint),
            "only": _several(only),
            "queue": _several(queue),
            "threshold": threshold,
            "after": after,
        }
        some_target = any(value is not None for value in (webhook, slack, email))
        target = target_of(webhook, slack, None if email is None else several(email)) if some_target else None
        shown: dict[str, Any] = {}

        def change(scene: Scene) -> None:
            row = scene.tx.one("find_alert", id=id, env=scene.env)
            if row is None:
                raise _unknown(id)
            values = dict(row)
            wanted = events_of(several(events)) if events is not None else rule_of(row).events
            kept = fitting(wanted, _as_values(_decode_filters(row["filters"])))
            changed = {name: value for name, value in given.items() if value is not None}
            values["events"] = _encode(wanted).decode()
            values["filters"] = _encode(filters_of(wanted, kept | changed)).decode()
            values["name"] = name_of(name, row["name"])
            if window is not None:
                values["window_ms"] = window_of(window)
            if target is not None:
                values |= {"channel": target.channel, "shown_target": target.shown}
                values["target"] = sealed(self._vault, target.text, id)
                if target.channel == "webhook" and row["secret"] is None:
                    shown["secret"] = new_secret()
                    values["secret"] = sealed(self._vault, shown["secret"], id)
            if enabled:
                values |= {"enabled": 1, "disabled_reason": None, "failures": 0}
            values["updated_at"] = scene.now
            scene.tx.run("put_alert", **{name: values[name] for name in _COLUMNS})
            if enabled is False:
                disable_alert(scene, id, "somebody switched it off")

        self._engine.write(change)
        return self.retrieve(id=id) | shown

    def delete(self, *, id: str) -> dict[str, Any]:
        """Remove an alert; its deliveries stay in the log until they are old. Errors: `NotFound`."""

        def drop(scene: Scene) -> None:
            if not scene.tx.run("drop_alert", id=id, env=scene.env):
                raise _unknown(id)
            scene.tx.run("drop_alert_windows", id=id)
            scene.tx.run("drop_alert_states", id=id)
            scene.tx.run("fail_alert_deliveries", id=id, now=scene.now)

        row = self._row(id)
        self._engine.write(drop)
        return _view(row)

    def test(self, *, id: str) -> dict[str, Any]:
        """Send a message that says that it is a test, once; the delivery, whose outcome follows. Errors: `NotFound`."""
        return self._deliver(lambda scene: self._test(scene, id))

    def rotate_secret(self, *, id: str) -> dict[str, Any]:
        """Make a new secret, shown this once. For 24 hours messages carry the signature of the old one as well.

        Errors: `NotFound`; `Conflict` for an alert that is no webhook.
        """
        secret = new_secret()

        def rotate(scene: Scene) -> None:
            row = scene.tx.one("find_alert", id=id, env=scene.env)
            if row is None:
                raise _unknown(id)
            if row["channel"] != "webhook":
                raise Conflict(f"the messages of alert {id} go by {row['channel']}, which is not signed")
            values = dict(row) | {
                "secret": sealed(self._vault, secret, id),
                "old_secret": row["secret"],
                "old_secret_until": scene.now + OVERLAP_MS,
                "updated_at": scene.now,
            }
            scene.tx.run("put_alert", **{name: values[name] for name in _COLUMNS})

        self._engine.write(rotate)
        return self.retrieve(id=id) | {"secret": secret}

    def deliveries(
        self,
        *,
        alert: str | None = None,
        status: Sequence[DeliveryStatusName] = (),
        limit: PageSize = 25,
        cursor: Cursor | None = None,
    ) -> dict[str, Any]:
        """A page of messages and how they fared, newest first; of one alert, or of all. They are kept for 30 days."""
        rows, more = page_of_deliveries(
            self._engine.store,
            self._engine.env,
            DeliveryFilter(alert, several(status)),
            limit=whole("limit", limit, 1, PAGE),
            before=None if cursor is None else whole("cursor", cursor, 1, 2**62),
        )
        return {"items": [delivery_view(row) for row in rows], "next_cursor": None if more is None else str(more)}

    def delivery(self, *, id: str) -> dict[str, Any]:
        """One message: what it said, and each of its tries. Errors: `NotFound`."""
        store = self._engine.store
        rows = store.read("view_alert_delivery", id=id, env=self._engine.env)
        if not rows:
            raise _unknown_delivery(id)
        return delivery_view(rows[0], store.read("view_alert_attempts", id=id)) | {"body": _decode(rows[0]["body"])}

    def replay(self, *, id: str) -> dict[str, Any]:
        """Send a message again, under the same id, that has arrived or has failed.

        Errors: `NotFound`; `Conflict` while it is on its way, and when its alert is deleted or switched off.
        """

        def again(scene: Scene) -> str:
            row = scene.tx.one("view_alert_delivery", id=id, env=scene.env)
            if row is None:
                raise _unknown_delivery(id)
            alert = scene.tx.one("find_alert", id=row["alert_id"], env=scene.env)
            if alert is None or not alert["enabled"]:
                state = "deleted" if alert is None else "switched off; enable it first"
                raise Conflict(f"the alert {row['alert_id']} of this message is {state}")
            if not scene.tx.run("replay_alert_delivery", id=id, env=scene.env, now=scene.now):
                raise Conflict(f"the message {id} is on its way; `detent alerts deliveries` shows how it fares")
            return id

        return self._deliver(again)

    def _deliver(self, act: Callable[[Scene], str]) -> dict[str, Any]:
        return self.delivery(id=self._engine.write(act))

    def _test(self, scene: Scene, id: str) -> str:
        row = scene.tx.one("find_alert", id=id, env=scene.env)
        if row is None:
            raise _unknown(id)
        said = {"first_at": scene.now, "last_at": scene.now, "facts": {"message": "This is a test of the alert."}}
        return send_message(scene, rule_of(row), TEST_EVENT, 1, said)

    def _row(self, id: str) -> Any:
        rows = self._engine.store.read("find_alert", id=id, env=self._engine.env)
        if not rows:
            raise _unknown(id)
        return rows[0]


_COLUMNS = (
    "id", "env", "name", "events", "filters", "window_ms", "channel", "target", "shown_target", "secret", "old_secret",
    "old_secret_until", "enabled", "disabled_reason", "failures", "created_at", "updated_at",
)  # fmt: skip


def _view(row: Any) -> dict[str, Any]:
    filters = _decode_filters(row["filters"])
    return {
        "id": row["id"],
        "name": row["name"],
        "events": _decode(row["events"]),
        "channel": row["channel"],
        "target": row["shown_target"],
        "task": list(filters.task),
        "tag": list(filters.tag),
        "fingerprint": list(filters.fingerprint),
        "only": list(filters.only),
        "queue": list(filters.queue),
        "threshold": filters.threshold,
        "after_ms": filters.after_ms,
        "window_ms": row["window_ms"],
        "enabled": bool(row["enabled"]),
        "disabled_reason": row["disabled_reason"],
        "failures": row["failures"],
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
    }


def _as_values(filters: AlertFilters) -> dict[str, Any]:
    """Filters as `filters_of` takes them."""
    after = None if filters.after_ms is None else f"{filters.after_ms}ms"
    names = ("task", "tag", "fingerprint", "only", "queue", "threshold")
    return {name: getattr(filters, name) for name in names} | {"after": after}


def _several(values: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if values is None else several(values)


def _unknown(id: object) -> NotFound:
    return NotFound(f"no alert {id!r} in this environment; `detent alerts list` shows those that there are")


def _unknown_delivery(id: object) -> NotFound:
    return NotFound(f"no message {id!r} in this environment; `detent alerts deliveries` shows those that there are")
