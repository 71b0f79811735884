"""Messages: decided on once, in the transaction of what they tell; tried until they arrive; how each try went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ..model.alerts import MOST_TRIES, TEST_EVENT, pause_after
from ..model.ids import new_id
from .alert_rules import Rule
from .scene import Scene
from .views import iso

__all__ = ["Outcome", "disable_alert", "end_attempt", "forget_deliveries", "send_message"]

#: Messages in a row that did not arrive, after which an alert is switched off.
DISABLE_AFTER = 5
#: Longest pause that a receiver can ask for, in milliseconds.
_LONGEST_PAUSE_MS = 3_600_000

_encode = msgspec.json.Encoder().encode


class Outcome(NamedTuple):
    """How one try went. `error` says why it failed, `response` is the beginning of the answer. `final`: another try
    would go the same way; `gone`: the receiver wants no more of these. `pause_ms`: what the receiver asks to wait."""

    ok: bool
    at: int
    duration_ms: int
    status_code: int | None = None
    error: str | None = None
    response: str = ""
    final: bool = False
    gone: bool = False
    pause_ms: int | None = None


def send_message(scene: Scene, rule: Rule, event: str, count: int, data: dict[str, Any]) -> str:
    """Decide to tell an alert's receiver; the id of the message, which stays the same however often it is tried.

    Parameters:
      count: how many events it tells of. `data`: `first_at` and `last_at` in milliseconds since 1970, `facts`, and
        whatever else the message says.
    """
    message_id = new_id("msg", scene.now)
    said = {name: value for name, value in data.items() if name not in {"first_at", "last_at", "facts"}}
    body = {
        "id": message_id,
        "type": event,
        "timestamp": iso(scene.now),
        "env": rule.env,
        "alert": {"id": rule.id, "name": rule.name},
        "data": {
            "count": count,
            "first_at": iso(data["first_at"]),
            "last_at": iso(data["last_at"]),
            **data["facts"],
            **said,
        },
    }
    scene.tx.run(
        "insert_alert_delivery",
        id=message_id,
        env=rule.env,
        alert_id=rule.id,
        event=event,
        count=count,
        body=_encode(body).decode(),
        # Whoever tests waits for the outcome.
        most_tries=1 if event == TEST_EVENT else MOST_TRIES,
        now=scene.now,
    )
    return message_id


def end_attempt(scene: Scene, row: Any, outcome: Outcome, chance: float) -> bool:
    """Write down how a try went, and what follows from it.

    Parameters:
      row: the delivery as it was read for this try. `chance`: from 0 to 1, spreads the tries.

    Returns: False when this try was written down already, or the message is no longer to be sent.
    """
    tries = row["tries"] + 1
    over = outcome.ok or outcome.final or outcome.gone or tries >= row["most_tries"]
    status = "DELIVERED" if outcome.ok else "FAILED" if over else "PENDING"
    pause = max(pause_after(tries, chance), min(outcome.pause_ms or 0, _LONGEST_PAUSE_MS))
    ended = scene.tx.one(
        "end_alert_attempt",
        id=row["id"],
        attempts=row["attempts"],
        status=status,
        next_at=None if over else scene.now + pause,
        ended_at=scene.now if over else None,
    )
    if ended is None:
        return False
    scene.tx.run(
        "record_alert_attempt",
        delivery_id=row["id"],
        n=ended["attempts"],
        at=outcome.at,
        duration_ms=outcome.duration_ms,
        ok=int(outcome.ok),
        status_code=outcome.status_code,
        error=outcome.error,
        response=outcome.response,
    )
    if over and row["event"] != TEST_EVENT:
        _judge(scene, row["alert_id"], outcome)
    return True


def disable_alert(scene: Scene, alert_id: str, reason: str) -> None:
    """Switch an alert off: what was still to be sent has failed, and can be replayed."""
    if scene.tx.run("disable_alert", id=alert_id, reason=reason, now=scene.now):
        scene.tx.run("fail_alert_deliveries", id=alert_id, now=scene.now)


def forget_deliveries(scene: Scene, before: int, n: int) -> int:
    """Remove `n` messages that were made before a moment, in milliseconds since 1970; how many went."""
    gone: Sequence[Any] = scene.tx.all("forget_alert_deliveries", before=before, n=n)
    for row in gone:
        scene.tx.run("forget_alert_attempts", id=row["id"])
    return len(gone)


def _judge(scene: Scene, alert_id: str, outcome: Outcome) -> None:
    row = scene.tx.one("count_alert_failures", id=alert_id, ok=int(outcome.ok))
    if row is None or outcome.ok:
        return
    if outcome.gone:
        disable_alert(scene, alert_id, "its receiver answered 410: it wants no more messages")
    elif row["failures"] >= DISABLE_AFTER:
        last = outcome.error or f"the answer was {outcome.status_code}"
        disable_alert(scene, alert_id, f"{row['failures']} messages in a row did not arrive; of the last: {last}")
