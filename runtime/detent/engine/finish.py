"""The edges out of EXECUTING: completed, failed, tried again, and every other end of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..model.protocol import Done, Failure, Finish
from ..model.status import FINAL, KEY_RELEASING
from ..model.task_error import TaskError
from .duties import owe_hooks
from .satisfy import deliver
from .scene import Scene, error_text

__all__ = ["end_run", "enlarge", "finish_runs", "wrap_up"]


def finish_runs(scene: Scene, ended: Sequence[tuple[str, Finish]]) -> list[Done | Failure]:
    """Attempts ended, each on the worker that is named with it. The first compare-and-set wins; the same words said
    twice are answered the same."""
    answers: dict[int, Done | Failure] = {}
    final: dict[str, tuple[int, str, bool]] = {}
    for place, (worker_id, request) in enumerate(ended):
        status, unattended = request.status, request.unattended
        if status == "DELAYED":
            if _try_again(scene, worker_id, request):
                answers[place] = Done()
                continue
            # A run that was cancelled meanwhile is not tried again, and did not know that this was its end.
            status, unattended = "CANCELED", True
        elif status == "QUEUED" and request.machine is not None:
            if enlarge(scene, worker_id, request.run_id, request.epoch, machine=request.machine, error=request.error):
                answers[place] = Done()
                continue
            # It was on that machine already, or was cancelled meanwhile.
            fenced = scene.tx.one("find_run", id=request.run_id)
            canceled = fenced is not None and fenced["cancel_requested_at"] is not None
            status, unattended = "CANCELED" if canceled else "CRASHED", True
        elif status not in FINAL:
            answers[place] = Failure("invalid_options", f"a run cannot end as {status!r}")
            continue
        if request.run_id in final:
            _end_all(scene, ended, final, answers)
        final[request.run_id] = place, status, unattended
    _end_all(scene, ended, final, answers)
    return [answers[place] for place in range(len(ended))]


def _end_all(
    scene: Scene,
    ended: Sequence[tuple[str, Finish]],
    final: dict[str, tuple[int, str, bool]],
    answers: dict[int, Done | Failure],
) -> None:
    """The runs of `final`, each with its place in `ended`, its status, and whether its hooks are still to run, reach
    that status together. Empties `final`."""
    rows = scene.tx.each(
        "finish_run",
        [
            _values(scene, *ended[place])
            | {"state": status, "output": ended[place][1].output, "output_ref": ended[place][1].output_ref}
            for place, status, _ in final.values()
        ],
    )
    awaited: list[str] = []
    for (place, status, unattended), row in zip(final.values(), rows, strict=True):
        worker_id, request = ended[place]
        if row is None:
            answers[place] = _already(scene, request)
            continue
        wrap_up(scene, row, status, worker_id, limited=row["limited"])
        awaited += [row["id"]] if row["awaited"] else []
        if unattended:
            owe_hooks(scene, row, status)
        answers[place] = Done()
    if awaited:
        deliver(scene, awaited)
    final.clear()


def _try_again(scene: Scene, worker_id: str, request: Finish) -> bool:
    """EXECUTING → DELAYED: another attempt follows; False for a run that is to stop."""
    wake_at = request.retry_at or scene.now
    row = scene.tx.one("retry_run", wake_at=wake_at, **_values(scene, worker_id, request))
    if row is None:
        return False
    scene.record("retry", row, "DELAYED", worker_id, wake_at=wake_at, error=request.error)
    if row["has_waits"]:
        scene.tx.run("drop_waits", run_id=row["id"])
    scene.bell.freed(row["env"], row["queue"])
    scene.bell.due(wake_at)
    return True


def _values(scene: Scene, worker_id: str, request: Finish) -> dict[str, Any]:
    return {
        "id": request.run_id,
        "epoch": request.epoch,
        "worker": worker_id,
        "error": request.error,
        "started_at": request.started_at,
        "now": scene.now,
    }


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
    if row["awaited"]:
        deliver(scene, [row["id"]])
    owe_hooks(scene, row, state)
    return True


def wrap_up(
    scene: Scene, row: Any, state: str, worker_id: str | None, *, freed: bool = True, limited: int | None = None
) -> None:
    """What follows from every final state: history, waits, idempotency key. Those who wait for the run are yet to be
    told, see `deliver`."""
    scene.record("finish", row, state, worker_id)
    if freed:
        scene.bell.freed(row["env"], row["queue"], limited=None if limited is None else bool(limited))
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
