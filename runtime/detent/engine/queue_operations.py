"""What clients can ask about queues, and change. Answers are plain JSON values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import InvalidOptions
from ..model.duration import parse_duration
from ..model.limits import QUEUE_LIMIT
from . import queues, views
from .engine import Engine
from .queries import PageSize, whole
from .scene import Scene

__all__ = ["QueueOperations"]

#: Most keys of a page.
PAGE = 100


class QueueOperations:
    """The operations on the queues of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.by_name: dict[str, Callable[..., Any]] = {
            "queues.list": self.list_queues,
            "queues.retrieve": self.retrieve_queue,
            "queues.keys": self.keys_of_queue,
            "queues.pause": self.pause_queue,
            "queues.resume": self.resume_queue,
            "queues.override": self.override_limit,
            "queues.reset": self.reset_limit,
        }

    def list_queues(self) -> dict[str, Any]:
        """The queues, by name."""
        return {"items": [views.queue_view(row) for row in self._read("view_queues")]}

    def retrieve_queue(self, *, id: str) -> dict[str, Any]:
        """The queue of the name `id`."""
        if not self._read("has_queue", name=id):
            raise queues.unknown_queue(id, self._read("view_queue_names"))
        return self._view(id)

    def keys_of_queue(self, *, id: str, limit: PageSize = 25, cursor: str | None = None) -> dict[str, Any]:
        """The concurrency keys of a queue that have runs which execute or wait, those with the most first."""
        n = whole("limit", limit, 1, PAGE)
        total, key = _cursor(cursor)
        rows = self._read("view_queue_keys", name=id, total=total, key=key, n=n + 1)
        if not rows:
            self.retrieve_queue(id=id)
        shown = rows[:n]
        items = [{"key": row["concurrency_key"], "running": row["running"], "queued": row["queued"]} for row in shown]
        more = f"{shown[-1]['running'] + shown[-1]['queued']}:{shown[-1]['concurrency_key']}" if len(rows) > n else None
        return {"items": items, "next_cursor": more}

    def pause_queue(self, *, id: str) -> dict[str, Any]:
        """Start no more runs of a queue. What executes goes on."""
        return self._changed(id, lambda scene: queues.pause_queue(scene, id, True))

    def resume_queue(self, *, id: str) -> dict[str, Any]:
        """Start the runs of a queue again."""
        return self._changed(id, lambda scene: queues.pause_queue(scene, id, False))

    def override_limit(self, *, id: str, limit: int, ttl: str | float | None = None) -> dict[str, Any]:
        """Let another limit hold than the one that is declared, until it is reset or `ttl` has passed."""
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= QUEUE_LIMIT:
            raise InvalidOptions(
                f"limit must be a whole number from 1 to {QUEUE_LIMIT:,}, got {limit!r}; "
                "to let none of its runs start, pause the queue"
            )
        ttl_ms = None if ttl is None else parse_duration(ttl, "ttl")
        if ttl_ms == 0:
            raise InvalidOptions("ttl must be longer than 0; leave it out for an override that stays until it is reset")
        return self._changed(id, lambda scene: queues.override_limit(scene, id, limit, ttl_ms))

    def reset_limit(self, *, id: str) -> dict[str, Any]:
        """Let the declared limit hold again."""
        return self._changed(id, lambda scene: queues.reset_limit(scene, id))

    def _changed(self, name: str, change: Callable[[Scene], None]) -> dict[str, Any]:
        def act(scene: Scene) -> None:
            queues.known_queue(scene, name)
            change(scene)

        self._engine.write(act)
        return self._view(name)

    def _view(self, name: str) -> dict[str, Any]:
        return views.queue_view(self._read("view_queue", name=name)[0])

    def _read(self, statement: str, **values: Any) -> list[Any]:
        return self._engine.store.read(statement, env=self._engine.env, **values)


def _cursor(text: str | None) -> tuple[int, str]:
    if text is None:
        return 2**62, ""
    total, found, key = text.partition(":")
    if not found:
        raise InvalidOptions(f"cursor must be what the page before gave as next_cursor, got {text!r}")
    return whole("cursor", total, 0, 2**62), key
