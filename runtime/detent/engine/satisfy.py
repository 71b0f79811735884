"""What waits wait for has come: children ended, a moment was reached, a token was completed. Their runs are woken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..model.protocol import SatisfiedPush
from .park import TIMER, resume_run
from .results import result_of
from .scene import Scene

__all__ = ["deliver", "outcome_of", "reach_moments", "satisfy_wait", "satisfy_waitpoint"]

_encode = msgspec.json.Encoder().encode


def outcome_of(kind: str, waitpoint: Any) -> dict[str, Any]:
    """How the journal entry of a wait ends. `waitpoint`: None when its own time is over."""
    if kind == "time":
        return {"status": "ok"}
    if waitpoint is None or waitpoint["status"] != "COMPLETED":
        return {"status": "error"}
    return {"status": "ok", "value": waitpoint["output"], "value_ref": waitpoint["output_ref"]}


def deliver(scene: Scene, children: Sequence[str]) -> None:
    """Runs that are waited for have ended: count down the waits for them, and wake those that reach zero."""
    for row in scene.tx.all("count_down", ids=_encode(children).decode()):
        if row["pending"] <= 0:
            _wake(scene, row["run_id"], row["key"])


def satisfy_waitpoint(scene: Scene, waitpoint: Any) -> None:
    """A waitpoint was completed or timed out: so are the waits for it."""
    for row in scene.tx.all("list_waiting_for", waitpoint_id=waitpoint["id"]):
        satisfy_wait(scene, row["run_id"], row["key"], outcome_of(waitpoint["kind"], waitpoint))


def reach_moments(scene: Scene, n: int) -> int:
    """Satisfy up to `n` waits whose time has come; how many."""
    rows = scene.tx.all("list_due_waits", now=scene.now, n=n)
    for row in rows:
        if row["kind"] == "timer":
            _call_for_timer(scene, row["run_id"])
        else:
            satisfy_wait(scene, row["run_id"], row["key"], outcome_of(row["kind"], None))
    return len(rows)


def _call_for_timer(scene: Scene, run_id: str) -> None:
    """A time-out inside a parked run is due, and nobody has seen to it. One that executes has timers of its own."""
    if resume_run(scene, run_id):
        scene.tx.run("settle_wait", run_id=run_id, key=TIMER)
    else:
        scene.tx.run("drop_wait", run_id=run_id, key=TIMER)


def satisfy_wait(scene: Scene, run_id: str, key: str, outcome: dict[str, Any]) -> None:
    """A wait is over with `outcome`, what of its journal entry is set; its run goes on."""
    values = {"value": None, "value_ref": None, "error": None, **outcome}
    scene.tx.run("settle_entry", run_id=run_id, key=key, **values)
    scene.tx.run("settle_wait", run_id=run_id, key=key)
    _wake(scene, run_id, key)


def _wake(scene: Scene, run_id: str, key: str) -> None:
    if resume_run(scene, run_id):
        return
    holder = scene.tx.one("executing_at", id=run_id)
    if holder is not None:
        scene.tx.run("drop_wait", run_id=run_id, key=key)
        result = result_of(scene.tx, run_id, key)
        scene.bell.push(holder["worker_id"], SatisfiedPush(run_id, holder["epoch"], result))
