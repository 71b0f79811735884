"""What a trigger would do, without doing it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..errors import InvalidOptions, TaskNotFound, near_names
from ..model.json_text import encode
from ..model.options import new_run
from . import views
from .engine import Engine
from .payloads import check_payloads
from .views import iso

__all__ = ["TriggerChecks"]


class TriggerChecks:
    """The operation that checks a trigger."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store = engine.store
        self.by_name: dict[str, Callable[..., Any]] = {"tasks.check": self.check_trigger}

    def check_trigger(self, *, id: str, payload: Any = None, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check payload and options of a trigger, and tell where the run would go. No run is made."""
        env, now = self._engine.env, self._engine.clock.now()
        run = new_run(id, encode(payload, "payload"), options or {}, now=now)
        rows = self._store.read("find_task", env=env, id=id)
        served = self._engine.knows(id)
        if not rows and served is not None:
            raise TaskNotFound.among(id, [task["id"] for task in self._store.read("list_tasks", env=env)])
        check_payloads(self._store, env, [run])
        spec = msgspec.json.decode(rows[0]["spec"]) if rows else {}
        name = run.queue or spec.get("queue") or f"task/{id}"
        queues = {row["name"]: views.queue_view(row) for row in self._store.read("view_queues", env=env)}
        if run.queue is not None and name not in queues and run.queue_limit is None and served is not None:
            raise InvalidOptions(near_names("queue", name, list(queues)))
        begins = run.run_at if run.run_at is not None else None if run.delay_ms is None else now + run.delay_ms
        delayed = begins is not None and begins > now
        return {
            "task": id,
            "status": "PENDING_VERSION" if not rows else "DELAYED" if delayed else "QUEUED",
            "payload_checked": bool(spec.get("payload_schema")),
            "queue": queues.get(name, {"name": name}),
            "served": bool(served),
            "delay_until": iso(begins) if delayed else None,
            "max_attempts": run.max_attempts or spec.get("max_attempts"),
        }
