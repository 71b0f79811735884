"""Runs made by the hooks of a run that has ended."""

from __future__ import annotations

import msgspec

from ..model.ids import derived_id
from ..model.protocol import Failure, Handle, Trigger, Triggered
from .batches import begin_batch
from .duties import holds_duty
from .scene import Scene
from .trigger import Known, make_runs

__all__ = ["trigger_from_duty"]

_encode = msgspec.json.Encoder().encode


def trigger_from_duty(scene: Scene, worker_id: str, request: Trigger, known: Known) -> Triggered | Failure | None:
    """Make them, or find them: there is no journal any more, but hooks that are repeated give the same ids.

    None where these hooks are not this worker's to run.
    """
    if not holds_duty(scene, worker_id, request.run_id, request.epoch):
        return None
    if request.wait:
        return Failure("not_in_run", "hooks of a run that has ended cannot wait; trigger without waiting")
    parent = scene.tx.one("find_run", id=request.run_id)
    for place, run in enumerate(request.runs):
        run.id = derived_id("run", request.run_id, f"hooks/{request.key}/{run.task}", place, 0)
    ids = _encode([run.id for run in request.runs]).decode()
    present = {row["id"] for row in scene.tx.all("existing_runs", ids=ids)}
    made = iter(make_runs(scene, [run for run in request.runs if run.id not in present], known, parent=parent))
    handles = [Handle(run.id) if run.id in present else next(made) for run in request.runs]
    if request.batch_id is not None:
        begin_batch(scene, request.batch_id, handles, request.run_id)
    return Triggered(handles)
