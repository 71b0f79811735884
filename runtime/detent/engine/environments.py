"""An environment is archived, or brought back: what becomes of its runs and schedules."""

from __future__ import annotations

from typing import Any

from ..errors import Conflict, InvalidOptions, NotFound
from ..model.cron import check_cron, check_zone
from .bulk import OPEN
from .bulk_operations import BulkOperations
from .cancel import cancel_run
from .closed import CLOSED_NOTE
from .deployments import end_deployment
from .engine import Engine
from .scene import Scene
from .schedules import first_slot

__all__ = ["EnvironmentUpkeep"]

#: Runs that are cancelled in one transaction, and before whoever archives gets an answer.
_BATCH, _AT_ONCE = 100, 2_000
_REASON = "the environment was archived"


class EnvironmentUpkeep:
    """What becomes of the runs and schedules of environments that are archived or brought back.

    Parameters:
      engine: of any environment of the store.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def archived(self, env: str) -> int:
        """Its schedules stop, deployments under way and unfinished runs are cancelled; how many runs those were. Of
        very many, the rest is cancelled in the background. Doing it again does what is left."""
        engine = self._engine.in_env(env)
        unfinished = engine.write(_stop)
        for _ in range(_AT_ONCE // _BATCH):
            if not engine.write(_cancel_some, yields=True):
                return unfinished
        BulkOperations(engine).create(action="cancel", filter={"status": list(OPEN)}, reason=_REASON, name="archived")
        return unfinished

    def returned(self, env: str) -> None:
        """The schedules that are active fall due again, from now on."""
        engine = self._engine.in_env(env)
        engine.write(_resume_schedules)
        engine.schedules.wake()


def _stop(scene: Scene) -> int:
    scene.tx.notes.pop(CLOSED_NOTE + scene.env, None)
    scene.tx.run("stop_schedules", env=scene.env)
    for row in scene.tx.all("open_deployments_of_env", env=scene.env):
        end_deployment(scene, row["id"], "CANCELED", None)
    return sum(row["n"] for row in scene.tx.all("view_active_states", env=scene.env))


def _resume_schedules(scene: Scene) -> None:
    scene.tx.notes.pop(CLOSED_NOTE + scene.env, None)
    for row in scene.tx.all("stopped_schedules", env=scene.env):
        scene.tx.run("resume_schedule", id=row["id"], next_at=_next(row, scene.now))


def _next(row: Any, now: int) -> int | None:
    try:
        return first_slot(check_cron(row["cron"]), check_zone(row["timezone"]), now)
    except InvalidOptions:
        # The loop finds it and says so.
        return now


def _cancel_some(scene: Scene) -> int:
    """Cancel a batch; 0 when nothing is left, or none of it can be cancelled."""
    done = 0
    for row in scene.tx.all("open_runs", env=scene.env, n=_BATCH):
        try:
            cancel_run(scene, row["id"], _REASON)
        except (Conflict, NotFound):
            # It ended with one before it.
            continue
        done += 1
    return done
