"""Idempotency keys: a trigger said again finds the run that the first one made."""

from __future__ import annotations

from ..errors import Conflict
from ..model.digest import payload_digest
from ..model.limits import IDEMPOTENCY_TTL_MS
from ..model.protocol import Handle, NewRun
from .scene import Scene

__all__ = ["find_by_key", "keep_key"]

#: Digits of a digest that are shown.
_SHOWN = 16


def find_by_key(scene: Scene, run: NewRun) -> Handle | None:
    """The run that has the idempotency key of `run`.

    Errors: `Conflict` when it was triggered with another payload: whoever reads the result would take it for that of
    this payload.
    """
    found = scene.tx.one("find_idempotent", env=scene.env, task=run.task, key=run.idempotency_key, now=scene.now)
    if found is None:
        return None
    first, second = found["payload_digest"], _digest(run)
    if first is not None and second is not None and first != second:
        raise Conflict(
            f"this idempotency key came for task {run.task!r} before, with another payload: run {found['run_id']} "
            f"has the payload sha256:{first[:_SHOWN]}, this trigger has sha256:{second[:_SHOWN]}. Send the same "
            "payload to find that run, or another key to start a new one: what the result depends on belongs in "
            "the key too, and what is new each time, such as the present time, belongs in neither"
        )
    return Handle(found["run_id"], cached=True)


def keep_key(scene: Scene, run: NewRun, run_id: str) -> None:
    """From now on the key of `run` finds `run_id`."""
    scene.tx.run(
        "keep_idempotency",
        env=scene.env,
        task=run.task,
        key=run.idempotency_key,
        run_id=run_id,
        expires_at=scene.now + (run.idempotency_ttl_ms or IDEMPOTENCY_TTL_MS),
        payload_digest=_digest(run),
    )


def _digest(run: NewRun) -> str | None:
    if run.payload_digest is None and run.payload is not None:
        run.payload_digest = payload_digest(run.payload)
    return run.payload_digest
