"""What people change about a queue while work flows: pause, resume, another limit for a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import NotFound, near_names
from .scene import Scene

__all__ = ["end_overrides", "known_queue", "override_limit", "pause_queue", "reset_limit", "unknown_queue"]


def pause_queue(scene: Scene, name: str, paused: bool) -> None:
    """Start no more runs of a queue, or start them again: workers are rung at once. What executes goes on."""
    scene.tx.run("pause_queue", env=scene.env, name=name, paused=int(paused))
    if not paused:
        scene.bell.anyone(scene.env)


def override_limit(scene: Scene, name: str, limit: int, ttl_ms: int | None) -> None:
    """Let `limit` hold instead of what is declared, whatever workers declare meanwhile; `ttl_ms` milliseconds long, or
    until it is reset."""
    until = None if ttl_ms is None else scene.now + ttl_ms
    scene.tx.run("override_queue", env=scene.env, name=name, limit_n=limit, now=scene.now, until=until)
    scene.bell.anyone(scene.env)
    if until is not None:
        scene.bell.due(until)


def reset_limit(scene: Scene, name: str) -> None:
    """What is declared holds again."""
    if scene.tx.run("reset_queue", env=scene.env, name=name):
        scene.bell.anyone(scene.env)


def end_overrides(scene: Scene, most: int) -> int:
    """At most so many overrides whose time is over end."""
    rows = scene.tx.all("end_overrides", now=scene.now, n=most)
    for row in rows:
        scene.bell.anyone(row["env"])
    return len(rows)


def known_queue(scene: Scene, name: str) -> None:
    """Errors: `NotFound` with near names."""
    if scene.tx.one("has_queue", env=scene.env, name=name) is None:
        raise unknown_queue(name, scene.tx.all("view_queue_names", env=scene.env))


def unknown_queue(name: str, known: Sequence[Any]) -> NotFound:
    """The error for a queue that is not among the rows `known`."""
    return NotFound(f"{near_names('queue', name, [row['name'] for row in known])}; see them with `detent queues list`")
