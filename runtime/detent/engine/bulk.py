"""Work on many runs: a batch of it at a time, each in one transaction with the place that it has come to.

So whatever dies in the middle, each run is handled once: either the place is beyond it, or nothing was done to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ..errors import Conflict, DetentError, NotFound
from ..model.ids import derived_id
from ..model.protocol import NewRun
from ..model.status import FINAL, Status
from .cancel import cancel_run
from .replays import replay_run
from .scene import Scene
from .trigger import Known

__all__ = ["ACTIONS", "OPEN", "abort_bulk", "begin_bulk", "serve_bulk"]

#: What can be done to many runs.
ACTIONS = ("cancel", "replay")
#: Statuses of runs that can still be cancelled.
OPEN = tuple(status.value for status in Status if status not in FINAL)
#: Runs that could not be handled and are named, and characters of what is said of each.
_NAMED, _CHARS = 20, 500

_encode = msgspec.json.Encoder().encode


def begin_bulk(scene: Scene, values: dict[str, Any], wake: Callable[[], None]) -> Any:
    """A new bulk action; its row. Asked again with the same id, the first one is found."""
    scene.tx.run("insert_bulk_action", env=scene.env, now=scene.now, **values)
    scene.tx.after_commit(wake)
    return _find(scene, values["id"])


def abort_bulk(scene: Scene, action_id: str) -> Any:
    """No more runs are handled; its row. What is done stays done. Errors: `NotFound`, `Conflict`."""
    row = _find(scene, action_id)
    if row["status"] == "COMPLETED":
        raise Conflict(f"bulk action {action_id} has handled all of its runs already, so it cannot be aborted")
    scene.tx.run("abort_bulk_action", id=action_id, env=scene.env, now=scene.now)
    return _find(scene, action_id)


def serve_bulk(scene: Scene, row: Any, run_ids: Sequence[str], before_seq: int | None, known: Known) -> None:
    """Handle `run_ids` for the action `row`, whose place is then `before_seq`: None where these were the last.

    Does nothing where the action has ended meanwhile, or has come further than `row` says.
    """
    there = Scene(scene.tx, scene.now, row["env"], scene.bell)
    present = there.tx.one("find_bulk_action", id=row["id"], env=row["env"])
    place = (row["before_seq"], row["done"])
    if present is None or present["ended_at"] is not None or (present["before_seq"], present["done"]) != place:
        return
    problems: list[dict[str, str]] = msgspec.json.decode(row["problems"])
    counts = {"succeeded": 0, "failed": 0, "skipped": 0}
    for run_id in run_ids:
        outcome, problem = _handle(there, row, run_id, known)
        counts[outcome] += 1
        if problem and len(problems) < _NAMED:
            problems.append({"run": run_id, "outcome": outcome, "message": problem[:_CHARS]})
    there.tx.run(
        "advance_bulk_action",
        id=row["id"],
        before_seq=row["before_seq"] if before_seq is None else before_seq,
        done=row["done"] + len(run_ids),
        ended=int(before_seq is None),
        problems=_encode(problems).decode(),
        now=there.now,
        **counts,
    )


def _handle(scene: Scene, row: Any, run_id: str, known: Known) -> tuple[str, str]:
    """What became of one run, and what there is to say of it."""
    try:
        if row["action"] == "cancel":
            before = scene.tx.one("find_run", id=run_id)
            if before is not None and before["env"] == scene.env and before["state"] == "CANCELED":
                return "skipped", ""
            cancel_run(scene, run_id, row["reason"])
        else:
            changes = NewRun(derived_id("run", row["id"], run_id, 0, 0), "")
            replay_run(scene, run_id, changes, (), known)
    except (Conflict, NotFound) as error:
        # It has ended, or was removed, since the list was read; or it never was there.
        return ("skipped" if type(error) is Conflict else "failed"), str(error)
    except DetentError as error:
        return "failed", str(error)
    return "succeeded", ""


def _find(scene: Scene, action_id: str) -> Any:
    row = scene.tx.one("find_bulk_action", id=action_id, env=scene.env)
    if row is None:
        raise NotFound(f"no bulk action {action_id!r} in this project; list them with `detent runs bulk list`")
    return row
