"""Triggers in quick succession make one run: while it is delayed, each pushes its start on."""

from __future__ import annotations

from typing import Any

import msgspec

from ..model.protocol import Debounce, Handle, NewRun
from .scene import Scene

__all__ = ["FORGET_AFTER_MS", "open_window", "push_on"]

#: How long a window that is over is kept, in milliseconds: a trigger may be sent again whose answer was lost.
FORGET_AFTER_MS = 600_000

_encode = msgspec.json.Encoder().encode


def push_on(scene: Scene, run: NewRun, debounce: Debounce) -> Handle | None:
    """The run that already waits under the key of `run`, its start pushed on; None where a new window begins.

    A run whose task nobody runs yet waits too, whatever its delay.
    """
    window = scene.tx.one("find_debounce", env=scene.env, task=run.task, key=debounce.key)
    if window is None:
        return None
    if window["asked_by"] == run.id:
        return Handle(window["run_id"], cached=True)
    wake_at = scene.now + debounce.delay_ms
    if debounce.max_delay_ms is not None:
        wake_at = max(scene.now, min(wake_at, window["first_at"] + debounce.max_delay_ms))
    row = scene.tx.one("push_debounced", id=window["run_id"], wake_at=wake_at)
    if row is None:
        return None
    if debounce.mode == "trailing":
        scene.tx.run(
            "replace_payload",
            id=row["id"],
            payload=run.payload,
            payload_ref=run.payload_ref,
            metadata=run.metadata,
            tags=_encode(run.tags).decode(),
        )
    _keep(scene, run, run_id=row["id"], first_at=window["first_at"], until=wake_at)
    scene.record("debounced", row, row["state"], wake_at=wake_at)
    scene.bell.due(wake_at)
    return Handle(row["id"], cached=True)


def open_window(scene: Scene, run: NewRun, begins: int) -> None:
    """`run` is the first of its window, and is to start at `begins`."""
    _keep(scene, run, run_id=run.id, first_at=scene.now, until=begins)


def _keep(scene: Scene, run: NewRun, **window: Any) -> None:
    key = None if run.debounce is None else run.debounce.key
    scene.tx.run("keep_debounce", env=scene.env, task=run.task, key=key, asked_by=run.id, **window)
