"""The edges out of EXECUTING: completed, failed, tried again, and every other end of a run."""

from __future__ import annotations

from typing import Any

from ..model.protocol import Done, Failure, Finish
from ..model.status import FINAL, KEY_RELEASING
from ..model.task_error import TaskError
from .duties import owe_hooks
from .satisfy import deliver
from .scene import Scene, error_text

__all__ = ["end_run", "enlarge", "finish_run", "wrap_up"]


def finish_run(scene: Scene, worker_id: str, request: Finish) -> Done | Failure:
    """An attempt ended. The first compare-and-set wins; the same words said twice are answered the same."""
    values: dict[str, Any] = {
        "id": request.run_id,
        "epoch": request.epoch,
        "worker": worker_id,
        "error": request.error,
        "started_at": request.started_at,
        "now": scene.now,
    }
    status, unattended = request.status, request.unattended
    if status == "DELAYED":
        wake_at = request.retry_at or scene.now
        row = scene.tx.one("retry_run", wake_at=wake_at, **values)
        if row is not None:
            scene.record("retry", row, "DELAYED", worker_id, wake_at=wake_at, error=request.error)
            if row["has_waits"]:
                scene.tx.run("drop_waits", run_id=row["id"])
            scene.bell.freed(row["env"], row["queue"])
            scene.bell.due(wake_at)
            return Done()
        # A run that was cancelled meanwhile is not tried again, and did not know that this was its end.
        status, unattended = "CANCELED", True
    elif status == "QUEUED" and request.machine is not None:
        if enlarge(scene, worker_id, request.run_id, request.epoch, machine=request.machine, error=request.error):
            return Done()
        # It was on that machine already, or was cancelled meanwhile.
        fenced = scene.tx.one("find_run", id=request.run_id)
        canceled = fenced is not None and fenced["cancel_requested_at"] is not None
        status, unattended = "CANCELED" if canceled else "CRASHED", True
    elif status not in FINAL:
        return Failure("invalid_options", f"a run cannot end as {status!r}")
    row = scene.tx.one("finish_run", state=status, output=request.output, output_ref=request.output_ref, **values)
    if row is None:
        return _already(scene, request)
    wrap_up(scene, row, status, worker_id)
    if unattended:
        owe_hooks(scene, row, status)
    return Done()


def enlarge(scene: Scene, worker_id: str, run_id: str, epoch: int, *, machine: str, error: str | None) -> bool:
    """EXECUTING → QUEUED: a run that ran out of memory is tried again on a larger `machine`, ahead of new ones, at the
    price of no attempt; False for one that was on it already, or is to stop."""
    values = {"id": run_id, "epoch": epoch, "worker": worker_id, "now": scene.now}
    row = scene.tx.one("enlarge_run", machine=machine, error=error, **values)
    if row is None:
        return False
    scene.record("out_of_memory", row, "QUEUED", worker_id, machine=machine, error=error)
    scene.bell.freed(row["env"], row["queue"])
    scene.bell.queued(row["env"], row["task"])
    return True


def _already(scene: Scene, request: Finish) -> Done | Failure:
    """The answer to a commit that is sent again because its answer was lost (DESIGN.md invariant 6)."""
    row = scene.tx.one("find_run", id=request.run_id)
    if row is not None and row["epoch"] == request.epoch:
        # Of the ways back into the queue only another attempt leaves `resume` unset.
        again = request.status == "DELAYED" and (
            row["state"] in ("DELAYED", "CANCELED") or (row["state"] == "QUEUED" and not row["resume"])
        )
        if again or row["state"] == request.status:
            return Done()
    return Failure("lease_lost", f"run {request.run_id} is no longer this worker's")


def end_run(
    scene: Scene, run_id: str, before: str, state: str, error: TaskError | None, *, fence: bool = False
) -> bool:
    """From the stored state `before` to the final `state`, without a worker's word. `fence`: no worker's
    either."""
    row = scene.tx.one(
        "end_run",
        id=run_id,
        before=before,
        state=state,
        error=None if error is None else error_text(error),
        fence=int(fence),
        now=scene.now,
    )
    if row is None:
        return False
    wrap_up(scene, row, state, None, freed=before == "EXECUTING")
    owe_hooks(scene, row, state)
    return True


def wrap_up(scene: Scene, row: Any, state: str, worker_id: str | None, *, freed: bool = True) -> None:
    """What follows from every final state: history, waits, idempotency key, those who wait for the run."""
    scene.record("finish", row, state, worker_id)
    if freed:
        scene.bell.freed(row["env"], row["queue"])
    if row["has_waits"]:
        scene.tx.run("drop_waits", run_id=row["id"])
    if row["idempotency_key"] is not None and state in KEY_RELEASING:
        scene.tx.run(
            "release_idempotency",
            env=row["env"],
            task=row["task"],
            key=row["idempotency_key"],
            run_id=row["id"],
        )
    scene.bell.ended(row["id"])
    if row["awaited"]:
        deliver(scene, row["id"])
