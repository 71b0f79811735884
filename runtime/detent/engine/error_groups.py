"""Failures grouped by the fingerprint of their error: counted, resolved, come back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ..model.plain_text import without_nul
from ..model.redaction import Redactor
from ..model.task_error import TaskError
from .fingerprint import fingerprint
from .scene import Scene

__all__ = ["FAILED", "KEPT_RUNS", "Failure", "count_failures", "failure_of", "forget_groups", "shown_status"]

logger = logging.getLogger("detent.engine")

#: The ends of a run that are failures.
FAILED = ("FAILED", "CRASHED", "TIMED_OUT", "SYSTEM_FAILURE")
#: Latest runs that are kept of each group.
KEPT_RUNS = 20
#: Characters of the message that a group shows.
_MESSAGE_CHARS = 1_000

_decode_error = msgspec.json.Decoder(TaskError).decode


class Failure(NamedTuple):
    """A run that failed. `event`: the place of its end in the history. `news` tells what it is to its group:
    ``first_seen``, ``regression`` (it had been resolved), ``unignored`` (it was ignored until now), ``known``, or
    ``muted`` for one that nobody wants to hear of."""

    event: int
    at: int
    run: Any
    error: TaskError
    fingerprint: str
    news: str = "known"


def failure_of(row: Any, redactor: Redactor) -> Failure:
    """The failure that a row of `list_ended` tells of; its message is kept without the secrets of its environment."""
    try:
        error = _decode_error(row["error"] or "null")
    except msgspec.MsgspecError:
        error = TaskError(row["state"], "")
    shown = msgspec.structs.replace(
        error,
        type=without_nul(error.type),
        message=without_nul(redactor.text(error.message)),
        code=without_nul(error.code),
    )
    return Failure(row["seq"], row["at"], row, shown, _fingerprint(error))


def count_failures(scene: Scene, failures: Sequence[Failure]) -> list[Failure]:
    """Add failures, in the order in which they came, to their groups; the same with their news."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    tasks: dict[tuple[str, str, str], dict[str, Any]] = {}
    told = []
    for failure in failures:
        env, task = failure.run["env"], failure.run["task"]
        place = (env, failure.fingerprint)
        group = groups.get(place)
        if group is None:
            group = groups[place] = _group(scene, failure)
        told.append(failure._replace(news=_add(group, failure)))
        of_task = tasks.setdefault(
            (*place, task), {"env": env, "fingerprint": failure.fingerprint, "task": task, "count": 0}
        )
        of_task["count"] += 1
        of_task["last_at"] = failure.at
    scene.tx.many("put_error_group", groups.values())
    scene.tx.many("count_error_task", tasks.values())
    scene.tx.many(
        "put_error_run",
        [
            {
                "env": failure.run["env"],
                "fingerprint": failure.fingerprint,
                "event": failure.event,
                "run_id": failure.run["id"],
            }
            for failure in failures
        ],
    )
    scene.tx.many("trim_error_runs", [{"env": e, "fingerprint": f, "keep": KEPT_RUNS} for e, f in groups])
    return told


def forget_groups(scene: Scene, before: int, n: int) -> int:
    """Remove `n` groups that were last seen before a moment, in milliseconds since 1970; how many went."""
    gone = scene.tx.all("forget_error_groups", before=before, n=n)
    for row in gone:
        scene.tx.run("forget_error_tasks", env=row["env"], fingerprint=row["fingerprint"])
        scene.tx.run("forget_error_runs", env=row["env"], fingerprint=row["fingerprint"])
    return len(gone)


def shown_status(group: Any, now: int) -> str:
    """The status of a group: one whose time of being ignored is over is unresolved, also before anybody notes it."""
    until = group["ignored_until"]
    over = group["status"] == "IGNORED" and until is not None and until <= now
    return "UNRESOLVED" if over else str(group["status"])


def _fingerprint(error: TaskError) -> str:
    try:
        return fingerprint(error)
    except Exception:
        # Whatever a task has raised, the history is read on behind it.
        logger.exception("an error of the type %s has no fingerprint of its own", error.type)
        return fingerprint(TaskError(error.type, ""))


def _group(scene: Scene, failure: Failure) -> dict[str, Any]:
    """The group of a failure as a row, as it is before the failure."""
    row = scene.tx.one("find_error_group", env=failure.run["env"], fingerprint=failure.fingerprint)
    if row is not None:
        return dict(row)
    return {
        "env": failure.run["env"],
        "fingerprint": failure.fingerprint,
        "status": "UNRESOLVED",
        "count": 0,
        "first_at": failure.at,
        "first_run": failure.run["id"],
        "changed_at": None,
        "ignored_until": None,
        "ignored_count": None,
        "regressions": 0,
        "regressed_at": None,
    }


def _add(group: dict[str, Any], failure: Failure) -> str:
    """Count a failure in its group; its news."""
    first = group["count"] == 0
    group["count"] += 1
    group["type"] = failure.error.type
    group["message"] = failure.error.message[:_MESSAGE_CHARS]
    group["code"] = failure.error.code
    group["last_at"] = failure.at
    group["last_run"] = failure.run["id"]
    if first:
        return "first_seen"
    if group["status"] == "RESOLVED":
        if failure.at <= group["changed_at"]:
            return "muted"
        group["regressions"] += 1
        group["regressed_at"] = failure.at
        _reopen(group)
        return "regression"
    if group["status"] == "IGNORED":
        until, most = group["ignored_until"], group["ignored_count"]
        if (until is None or failure.at < until) and (most is None or group["count"] < most):
            return "muted"
        _reopen(group)
        return "unignored"
    return "known"


def _reopen(group: dict[str, Any]) -> None:
    group.update(status="UNRESOLVED", changed_at=None, ignored_until=None, ignored_count=None)
