"""The edge into the state machine: runs are made, by clients and by runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ..errors import Conflict, InvalidOptions, TaskNotFound, near_names
from ..model.ids import derived_id
from ..model.plain_text import NUL, refuse_nul
from ..model.protocol import Failure, Handle, NewRun, Trigger, Triggered, WaitResult
from ..model.status import FINAL
from .batches import begin_batch
from .closed import refuse_closed
from .debounce import open_window, push_on
from .idempotency import find_by_key, keep_key
from .journal import put_entry
from .park import is_parked, park_run
from .results import results_of
from .scene import Scene

__all__ = ["DEPLOYED_NOTE", "TASKS_NOTE", "Known", "is_plain", "make_runs", "trigger_from_run"]

_encode = msgspec.json.Encoder().encode

#: Under this note a transaction keeps the tasks that it has looked up.
TASKS_NOTE = "tasks"
#: And under this one, which environments have a current version.
DEPLOYED_NOTE = "deployed"

#: Tells whether a connected worker runs this task: True, False, or None while no worker is connected.
Known = Callable[[str], bool | None]


def is_plain(run: NewRun) -> bool:
    """Whether `run` can be made together with those of other callers: it changes nothing that they may look at."""
    return run.idempotency_key is None and run.debounce is None and run.queue_limit is None and not run.queue_given


def make_runs(
    scene: Scene, runs: Sequence[NewRun], known: Known, *, parent: Any = None, awaited: bool = False
) -> list[Handle]:
    """Insert `runs`; a run whose id, idempotency key or debounce key is there already is found, not made again.

    Errors: `TaskNotFound` for an id that no connected worker knows, `InvalidOptions` for such a queue, `Conflict` for
    an idempotency key that came with another payload, for an id that a run of another environment has, and in an
    environment that takes no runs.
    """
    tx, now, env = scene.tx, scene.now, scene.env
    refuse_closed(scene)
    present: set[str] = set()
    if parent is None:
        present = _present(scene, runs)
    handles: list[Handle] = []
    rows: list[dict[str, Any]] = []
    for run in runs:
        if run.id in present:
            handles.append(Handle(run.id))
            continue
        _check_texts(run)
        present.add(run.id)
        if run.idempotency_key is not None or run.debounce is not None:
            if rows:
                # What it finds may be a run of this very call.
                tx.many("insert_run", rows)
                rows.clear()
            found = _found(scene, run)
            if found is not None:
                handles.append(found)
                continue
        # A run that a run waits for belongs to the version that its parent runs on (C15).
        version = run.version or (parent["version"] if parent is not None and awaited else None)
        queue, state = _place_in(scene, run, version, known) if version is not None else _place(scene, run, known)
        begins = max(now, run.run_at or 0, now + (run.delay_ms or 0))
        if run.debounce is not None:
            begins = now + run.debounce.delay_ms
            open_window(scene, run, begins)
        if state == "QUEUED" and begins > now:
            state = "DELAYED"
            scene.bell.due(begins)
        rows.append(
            {
                "id": run.id,
                "env": env,
                "task": run.task,
                "queue": queue,
                "concurrency_key": run.concurrency_key,
                "state": state,
                "version": version,
                "order_at": begins - int(run.priority * 1000),
                "wake_at": begins if begins > now else None,
                "expires_at": begins + run.ttl_ms if run.ttl_ms and state != "PENDING_VERSION" else None,
                "ttl_ms": run.ttl_ms,
                "now": now,
                "queued_at": now if state == "QUEUED" else None,
                "max_attempts": run.max_attempts,
                "max_duration_ms": run.max_duration_ms,
                "machine": run.machine,
                "priority": run.priority,
                "payload": run.payload,
                "payload_ref": run.payload_ref,
                "metadata": run.metadata,
                "tags": _encode(run.tags).decode() if run.tags else "[]",
                "idempotency_key": run.idempotency_key,
                "parent_id": None if parent is None else parent["id"],
                "root_id": None if parent is None else parent["root_id"] or parent["id"],
                "batch_id": run.batch_id,
                "awaited": int(awaited),
            }
        )
        if run.ttl_ms and state == "QUEUED":
            scene.bell.due(begins + run.ttl_ms)
        scene.history.append(
            {
                "run_id": run.id,
                "at": now,
                "kind": "trigger",
                "state": state,
                "epoch": 0,
                "attempt": 1,
                "worker_id": None,
                "data": None,
            }
        )
        if state == "QUEUED":
            scene.bell.queued(env, run.task, run_id=run.id)
        handles.append(Handle(run.id))
    if rows:
        tx.many("insert_run", rows)
    return handles


def _check_texts(run: NewRun) -> None:
    if NUL in f"{run.task}{run.queue}{run.concurrency_key}{run.machine}{''.join(run.tags)}":
        for name in ("task", "queue", "concurrency_key", "machine", "tags"):
            refuse_nul(name, getattr(run, name))


def _found(scene: Scene, run: NewRun) -> Handle | None:
    """The run that the keys of `run` lead to, if there is one. The idempotency key wins."""
    found = None
    if run.idempotency_key is not None:
        found = find_by_key(scene, run)
    if found is None:
        if run.debounce is not None:
            found = push_on(scene, run, run.debounce)
        if run.idempotency_key is not None:
            keep_key(scene, run, run.id if found is None else found.id)
    return found


def _present(scene: Scene, runs: Sequence[NewRun]) -> set[str]:
    """The ids of `runs` that are there already, from a trigger whose answer was lost. Errors: `Conflict`."""
    if len(runs) == 1:
        rows = scene.tx.all("has_run", id=runs[0].id)
    else:
        rows = scene.tx.all("existing_runs", ids=_encode([run.id for run in runs]).decode())
    for row in rows:
        if row["env"] != scene.env:
            raise Conflict(f"the id {row['id']!r} is taken; leave the run out and send options")
    return {row["id"] for row in rows}


def trigger_from_run(scene: Scene, worker_id: str, request: Trigger, known: Known) -> Triggered | Failure:
    """Runs made by a run, under a journal key: a run that replays finds them, and makes none anew.

    In a later attempt those that ended without completing are made again; the others stand.
    """
    tx = scene.tx
    parent = tx.one("fence", id=request.run_id, epoch=request.epoch, worker=worker_id)
    if parent is None:
        return _said_again(scene, worker_id, request)
    target = ",".join(sorted({run.task for run in request.runs}))
    entry = tx.one("find_journal", run_id=request.run_id, key=request.key)
    attempt = parent["attempt"]
    earlier: list[Any] = []
    if entry is not None:
        earlier = tx.all("list_children", run_id=request.run_id, key=request.key)
        same = (entry["kind"], entry["target"], len(earlier)) == ("trigger", target, len(request.runs))
        if entry["attempt"] == attempt and not same:
            return Failure(
                "journal_mismatch",
                f"run {request.run_id} went another way than before at {request.key!r}: recorded was "
                f"{entry['kind']} of {len(earlier)} x {entry['target']}, now it is trigger of "
                f"{len(request.runs)} x {target}",
            )
    handles = _made_or_found(scene, parent, request, earlier, known)
    advanced = entry is None or entry["attempt"] != attempt
    if advanced:
        put_entry(scene, request.run_id, attempt, key=request.key, kind="trigger", target=target, seq=request.seq)
    if request.batch_id is not None:
        begin_batch(scene, request.batch_id, handles, request.run_id)
    parked, result = False, None
    if request.wait:
        parked, result = _wait_for(scene, worker_id, request, parent, handles, all_new=not earlier)
    if not parked:
        tx.run(
            "mark_progress",
            id=request.run_id,
            epoch=request.epoch,
            worker=worker_id,
            advanced=int(advanced),
            waits=int(request.wait and result is None),
            now=scene.now,
        )
    return Triggered(handles, parked, result)


def _said_again(scene: Scene, worker_id: str, request: Trigger) -> Triggered | Failure:
    """The run is parked, or not this worker's any more: it may have parked by these very words."""
    if request.park and is_parked(scene, worker_id, request.run_id, request.epoch):
        rows = scene.tx.all("list_children", run_id=request.run_id, key=request.key)
        if len(rows) == len(request.runs):
            return Triggered([Handle(row["child_id"], bool(row["cached"])) for row in rows], parked=True)
    return Failure("lease_lost", f"run {request.run_id} is no longer this worker's")


def _wait_for(
    scene: Scene, worker_id: str, request: Trigger, parent: Any, handles: list[Handle], *, all_new: bool
) -> tuple[bool, WaitResult | None]:
    """Whether the run is parked now, and the results if they are all there."""
    tx = scene.tx
    pending = len(handles)
    if not all_new or any(handle.cached for handle in handles):
        row = tx.one("count_unfinished_children", run_id=request.run_id, key=request.key)
        pending = 0 if row is None else row["n"]
    if pending == 0:
        tx.run("drop_wait", run_id=request.run_id, key=request.key)
        return False, WaitResult(request.key, results_of(tx, request.run_id, request.key))
    wait = {"pending": pending, "kind": "children", "due_at": None, "waitpoint_id": None}
    tx.run("put_wait", run_id=request.run_id, key=request.key, **wait)
    return request.park and park_run(scene, worker_id, parent, request.wake_ms), None


def _made_or_found(scene: Scene, parent: Any, request: Trigger, earlier: list[Any], known: Known) -> list[Handle]:
    tx = scene.tx
    attempt = parent["attempt"]
    kept: dict[int, Handle] = {}
    for row in earlier:
        place = row["place"]
        again = row["attempt"] != attempt and row["state"] in FINAL and row["state"] != "COMPLETED"
        # A later attempt may go another way: then what stands here is not what is asked for.
        if not again and place < len(request.runs) and row["task"] == request.runs[place].task:
            kept[place] = Handle(row["child_id"], cached=bool(row["cached"]))
    fresh: list[NewRun] = []
    for place, run in enumerate(request.runs):
        if place not in kept:
            run.id = derived_id("run", request.run_id, request.key, place, attempt)
            fresh.append(run)
    if any(row["attempt"] != attempt for row in earlier):
        # What stands belongs to this attempt from now on, so that it is found again however it ends.
        tx.run("drop_later_children", run_id=request.run_id, key=request.key, places=len(request.runs))
        tx.run("adopt_children", run_id=request.run_id, key=request.key, attempt=attempt)
    made = iter(make_runs(scene, fresh, known, parent=parent, awaited=request.wait) if fresh else ())
    handles: list[Handle] = []
    rows: list[dict[str, Any]] = []
    for place in range(len(request.runs)):
        handle = kept.get(place)
        if handle is None:
            handle = next(made)
            rows.append(
                {
                    "run_id": request.run_id,
                    "key": request.key,
                    "place": place,
                    "child_id": handle.id,
                    "attempt": attempt,
                    "cached": int(handle.cached),
                    "awaited": int(request.wait),
                }
            )
        handles.append(handle)
    if rows:
        tx.many("put_child", rows)
    if request.wait:
        if kept:
            tx.run("await_children", run_id=request.run_id, key=request.key)
        tx.many(
            "await_run",
            [{"id": handle.id} for place, handle in enumerate(handles) if handle.cached or place in kept],
        )
    return handles


def _place(scene: Scene, run: NewRun, known: Known) -> tuple[str, str]:
    """The queue of `run`, and whether it may be queued or must wait for a version that knows its task."""
    tx, env = scene.tx, scene.env
    queue = run.queue
    if not _has_queue(scene, run):
        assert queue is not None
        if known(run.task) is not None and not _is_deployed(scene):
            names = [row["name"] for row in tx.all("list_queue_names", env=env)]
            raise InvalidOptions(_unknown_queue(queue, names))
        return queue, "PENDING_VERSION"
    served = known(run.task)
    if run.known and (served or not _is_deployed(scene)):
        return queue or f"task/{run.task}", "PENDING_VERSION" if served is False else "QUEUED"
    own_queue = _queue_of(scene, run.task)
    if own_queue is not None:
        # Its worker may be away for a moment while others are connected.
        return queue or own_queue, "QUEUED"
    if served is not None and not _is_deployed(scene):
        raise TaskNotFound.among(run.task, [task["id"] for task in tx.all("list_tasks", env=env)])
    return queue or "", "PENDING_VERSION"


def _place_in(scene: Scene, run: NewRun, version: str, known: Known) -> tuple[str, str]:
    """The same for a run that is pinned to a version, which knows its task or never will."""
    if not _has_queue(scene, run):
        names = [row["name"] for row in scene.tx.all("list_queue_names", env=scene.env)]
        raise InvalidOptions(_unknown_queue(run.queue or "", names))
    row = scene.tx.one("find_version_task", env=scene.env, version=version, id=run.task)
    if row is not None:
        return run.queue or msgspec.json.decode(row["spec"])["queue"], "QUEUED"
    tasks = [task["id"] for task in scene.tx.all("list_version_tasks", env=scene.env, version=version)]
    if not tasks and run.version is None:
        # The parent's worker names a version that was not deployed here.
        return _place(scene, run, known)
    if not tasks:
        versions = scene.tx.all("recent_versions", env=scene.env)
        deployed = [each["version"] for each in versions if each["state"] == "DEPLOYED"]
        raise InvalidOptions(
            f"{near_names('deployed version', version, deployed)}; list them with `detent deploys list`"
        )
    raise TaskNotFound(near_names(f"task of version {version}", run.task, tasks))


def _has_queue(scene: Scene, run: NewRun) -> bool:
    """Whether the queue that `run` names, if it names one, is there; one that comes with its limits is made."""
    tx, env, queue = scene.tx, scene.env, run.queue
    if queue is not None and (run.queue_limit is not None or run.queue_limit_per_key is not None):
        limits = {"limit_n": run.queue_limit, "limit_per_key": run.queue_limit_per_key}
        if tx.run("put_queue", env=env, name=queue, **limits):
            scene.bell.anyone(env)
        return True
    return queue is None or not run.queue_given or tx.one("find_queue", env=env, name=queue) is not None


def _is_deployed(scene: Scene) -> bool:
    """Whether a version says what the environment runs, and not the workers that are connected."""
    known: dict[str, bool] = scene.tx.notes.setdefault(DEPLOYED_NOTE, {})
    if scene.env not in known:
        known[scene.env] = scene.tx.one("find_current_version", env=scene.env) is not None
    return known[scene.env]


def _queue_of(scene: Scene, task: str) -> str | None:
    """The queue that a known task has; None for an unknown one."""
    known: dict[tuple[str, str], str | None] = scene.tx.notes.setdefault(TASKS_NOTE, {})
    place = scene.env, task
    if place not in known:
        row = scene.tx.one("find_task", env=scene.env, id=task)
        known[place] = None if row is None else msgspec.json.decode(row["spec"])["queue"]
    return known[place]


def _unknown_queue(queue: str, names: list[str]) -> str:
    return (
        f"{near_names('queue', queue, names)}; declare it with queue(name, concurrency_limit=...) in a "
        "task file, or pass a queue object with its limit"
    )
