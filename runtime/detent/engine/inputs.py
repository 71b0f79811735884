"""Values that are sent to a run: kept until its code asks for them, and given to it once, in order."""

from __future__ import annotations

from typing import Any

from ..errors import Conflict, LimitExceeded, NotFound
from ..model.limits import INPUTS
from ..model.protocol import Failure, Peek, Peeked
from ..model.status import FINAL
from .satisfy import satisfy_wait
from .scene import Scene

__all__ = ["give_back_input", "peek_input", "send_input", "take_input"]


def send_input(scene: Scene, run_id: str, stream: str, value: str, by: str | None) -> Any:
    """Keep a value for a run, or give it to the wait of the run that is open; the row of the value.

    Parameters:
      value: JSON text. `by`: an id of the call; made again, it is answered the same and sends nothing.

    Errors: `NotFound`; `Conflict` for a run that has ended; `LimitExceeded`.
    """
    run = scene.tx.one("find_run", id=run_id)
    if run is None or run["env"] != scene.env:
        raise NotFound(f"no run {run_id!r} in this project; list the latest with `detent runs list`")
    if by is not None:
        sent = scene.tx.one("find_input_by_call", run_id=run_id, by=by)
        if sent is not None:
            return sent
    if run["state"] in FINAL:
        raise Conflict(f"run {run_id} has ended ({run['state']}), so nothing can be sent to it; trigger a new run")
    waiting: Any = scene.tx.one("count_inputs", run_id=run_id, most=INPUTS)
    if waiting["n"] >= INPUTS:
        raise LimitExceeded(
            f"run {run_id} has {INPUTS:,} values that it has not read yet; send more when it has read some"
        )
    row: Any = scene.tx.one(
        "insert_input", run_id=run_id, stream=stream, env=scene.env, value=value, by=by, now=scene.now
    )
    _hand_on(scene, run_id, stream)
    return row


def take_input(scene: Scene, run_id: str, stream: str, key: str) -> dict[str, Any] | None:
    """The next value that the run has not been given, which is that of the journal entry `key` from here on, as its
    outcome; None if there is none."""
    row = scene.tx.one("next_input", run_id=run_id, stream=stream)
    if row is None:
        return None
    scene.tx.run("take_input", run_id=run_id, stream=stream, seq=row["seq"], key=key)
    return {"status": "ok", "value": row["value"]}


def give_back_input(scene: Scene, run_id: str, key: str) -> None:
    """The run has given up the wait `key`. A value that came for it at the same moment is for whoever asks next."""
    entry = scene.tx.one("find_journal", run_id=run_id, key=key)
    if (
        entry is not None
        and entry["kind"] == "input"
        and entry["status"] == "ok"
        and scene.tx.run("give_back_input", run_id=run_id, key=key)
    ):
        _hand_on(scene, run_id, entry["target"])


def _hand_on(scene: Scene, run_id: str, stream: str) -> None:
    """Give the next value to the wait for it that has been open for longest, where there are both."""
    wait = scene.tx.one("waiting_for_input", run_id=run_id, stream=stream)
    outcome = None if wait is None else take_input(scene, run_id, stream, wait["key"])
    if wait is not None and outcome is not None:
        satisfy_wait(scene, run_id, wait["key"], outcome)


def peek_input(scene: Scene, worker_id: str, request: Peek) -> Peeked | Failure:
    """The next value of a run, which stays where it is."""
    if scene.tx.one("fence", id=request.run_id, epoch=request.epoch, worker=worker_id) is None:
        return Failure("lease_lost", f"run {request.run_id} is no longer this worker's")
    row = scene.tx.one("next_input", run_id=request.run_id, stream=request.stream)
    return Peeked(None if row is None else row["value"])
