"""Lists of messages and how they fared, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ..errors import InvalidOptions, near_names
from ..store import Store
from ..store.phrases import phrases
from .views import iso

__all__ = ["DELIVERY_STATUSES", "DeliveryFilter", "delivery_view", "page_of_deliveries"]

DELIVERY_STATUSES = ("PENDING", "DELIVERED", "FAILED")


class DeliveryFilter(NamedTuple):
    """What a list is limited to: the messages of one `alert`, in any of some `status`; None and empty for all."""

    alert: str | None = None
    status: Sequence[str] = ()


def page_of_deliveries(
    store: Store, env: str, wanted: DeliveryFilter, *, limit: int, before: int | None
) -> tuple[list[Any], int | None]:
    """One page of rows, and the seq to go on before, None after the last. Errors: `InvalidOptions`."""
    for name in wanted.status:
        if name not in DELIVERY_STATUSES:
            raise InvalidOptions(near_names("status", name, DELIVERY_STATUSES))
    say = phrases(store.dialect)
    clauses = ["d.env = :env", "d.seq < :before"]
    if wanted.alert is not None:
        clauses = [f"{say.aside('d.env')} = :env", "d.alert_id = :alert", "d.seq < :before"]
    if wanted.status:
        clauses.append(f"d.status {say.is_any_of('statuses')}")
    rows = store.read_sql(
        f"SELECT d.* FROM alert_deliveries d WHERE {' AND '.join(clauses)} ORDER BY d.seq DESC LIMIT :n",  # noqa: S608  # fixed parts only
        {
            "env": env,
            "alert": wanted.alert,
            "statuses": msgspec.json.encode(wanted.status).decode(),
            "before": 2**62 if before is None else before,
            "n": limit + 1,
        },
    )
    return rows[:limit], rows[limit - 1]["seq"] if len(rows) > limit else None


def delivery_view(row: Any, attempts: Sequence[Any] | None = None) -> dict[str, Any]:
    """A message as lists show it; with each of its tries where they are given."""
    view = {
        "id": row["id"],
        "alert_id": row["alert_id"],
        "event": row["event"],
        "count": row["count"],
        "status": row["status"],
        "tries": row["attempts"],
        "created_at": iso(row["created_at"]),
        "next_try_at": iso(row["next_at"]),
        "ended_at": iso(row["ended_at"]),
    }
    if attempts is not None:
        view["attempts"] = [
            {
                "n": each["n"],
                "at": iso(each["at"]),
                "duration_ms": each["duration_ms"],
                "ok": bool(each["ok"]),
                "status_code": each["status_code"],
                "error": each["error"],
                "response": each["response"],
            }
            for each in attempts
        ]
    return view
