"""The edges by which a run is run again: from its beginning, from an entry of its journal, or out of a pause."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from ..errors import Conflict, InvalidOptions, NotFound, near_names
from ..model.protocol import Handle, NewRun
from ..model.status import FINAL, shown_status
from .scene import Scene
from .trigger import Known, make_runs

__all__ = ["fork_run", "replay_run", "resume_paused"]

_decode_strings = msgspec.json.Decoder(list[str]).decode


def replay_run(scene: Scene, source_id: str, changes: NewRun, given: Collection[str], known: Known) -> Handle:
    """Make a run of the same task, with the payload and the options of `source_id`; it is nobody's child.

    Parameters:
      changes: the new id, and what is to be otherwise: the options named in `given`, and the payload if there is one.

    Errors: `NotFound`, and those of a trigger.
    """
    source = _find(scene, source_id)
    if changes.debounce is not None:
        raise InvalidOptions("a replay is a run of its own; leave debounce out")
    return _again(scene, source, _merged(source, changes, given), None, known)


def fork_run(scene: Scene, source_id: str, new_id: str, at: str | None, known: Known) -> Handle:
    """Make a run like `source_id` that keeps what is finished before the journal entry `at`, so that it is not done
    again; all that is finished before the first open wait where `at` is None.

    Errors: `NotFound` for the run or the entry, with near keys; and those of a trigger.
    """
    source = _find(scene, source_id)
    if at is not None and scene.tx.one("find_journal", run_id=source_id, key=at) is None:
        keys = [row["key"] for row in scene.tx.all("list_journal_keys", run_id=source_id)]
        raise NotFound(
            f"run {source_id}: {near_names('journal entry', at, keys)}; see them with `detent runs journal {source_id}`"
        )
    run = _merged(source, NewRun(new_id, source["task"]), ())
    return _again(scene, source, run, at or "", known)


def resume_paused(scene: Scene, run_id: str) -> None:
    """WAITING → QUEUED for a paused run: it is executed again, ahead of new runs, and reads its journal.

    Errors: `NotFound`; `Conflict` for a run that is not paused, with the state it is in.
    """
    before = _find(scene, run_id)
    row = scene.tx.one("resume_paused", id=run_id, now=scene.now)
    if row is None:
        state = shown_status(before["state"], before["attempt_started_at"] is not None)
        advice = (
            "run it again with `detent runs replay`, or from one of its steps on with `detent runs fork`"
            if state in FINAL
            else "it goes on by itself"
        )
        raise Conflict(f"run {run_id} is not paused but {state}, so there is nothing to resume; {advice}")
    scene.record("resume", row, "QUEUED")
    scene.bell.queued(row["env"], row["task"])


def _find(scene: Scene, run_id: str) -> Any:
    row = scene.tx.one("find_run", id=run_id)
    if row is None or row["env"] != scene.env:
        raise NotFound(f"no run {run_id!r} in this project; list the latest with `detent runs list`")
    return row


def _merged(source: Any, changes: NewRun, given: Collection[str]) -> NewRun:
    """`changes` with everything that is not changed taken from `source`."""
    metadata = source["given_metadata"] if source["given_metadata"] is not None else source["metadata"]
    kept = {
        "queue": {"queue": source["queue"] or None},
        "concurrency_key": {"concurrency_key": source["concurrency_key"]},
        "ttl": {"ttl_ms": source["ttl_ms"]},
        "priority": {"priority": source["priority"]},
        "tags": {"tags": _decode_strings(source["tags"])},
        "metadata": {"metadata": metadata},
        "max_attempts": {"max_attempts": source["max_attempts"]},
        "max_duration": {"max_duration_ms": source["max_duration_ms"]},
        "machine": {"machine": source["machine"]},
    }
    values: dict[str, Any] = {}
    for option, fields in kept.items():
        if option not in given:
            values |= fields
    if changes.payload is None and changes.payload_ref is None:
        values |= {"payload": source["payload"], "payload_ref": source["payload_ref"]}
    return msgspec.structs.replace(changes, task=source["task"], **values)


def _again(scene: Scene, source: Any, run: NewRun, forked_at: str | None, known: Known) -> Handle:
    made = scene.tx.one("find_run", id=run.id)
    if made is not None:
        if (made["replay_of"], made["forked_at"]) == (source["id"], forked_at):
            return Handle(run.id)  # asked again, after the answer was lost
        raise Conflict(f"there is another run {run.id} already; leave new_id out")
    [handle] = make_runs(scene, [run], known)
    if not handle.cached:
        copied = _copy_journal(scene, source, run.id, forked_at) if forked_at is not None else 0
        scene.tx.run("mark_replay", id=run.id, replay_of=source["id"], forked_at=forked_at, has_journal=int(copied > 0))
    return handle


def _copy_journal(scene: Scene, source: Any, new_id: str, at: str) -> int:
    # What the latest attempt did is of the first attempt of the fork; what earlier ones did is earlier than that.
    attempt = {"attempt": source["attempt"]}
    end = scene.tx.one("find_fork_end", run_id=source["id"], at=at, **attempt)
    before = None if end is None else end["seq"]
    copied = scene.tx.run("copy_journal", id=new_id, source=source["id"], before=before, **attempt)
    if copied:
        scene.tx.run("copy_children", id=new_id, source=source["id"], **attempt)
    return copied
