"""The edges of schedules: declared with their tasks, passed slot by slot, each slot with one run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from ..errors import InvalidOptions
from ..model.branches import PREVIEW
from ..model.cron import check_cron, check_zone, latest_slot, next_slots
from ..model.ids import slot_id
from ..model.manifest import Manifest, ScheduleSpec
from ..model.protocol import NewRun
from .closed import environment_of, why_closed
from .scene import Scene
from .trigger import make_runs

__all__ = ["UPCOMING", "Passing", "declare_schedules", "first_slot", "pass_slots", "plan_passing"]

#: How many of the next times a run, and whoever looks at a schedule, is told.
UPCOMING = 10

_encode = msgspec.json.Encoder().encode


class Passing(NamedTuple):
    """What is to be done about a schedule that is due: `payload` for the run of `slot`, and when it is due next. With
    a `problem` there is no run."""

    row: Any
    slot: int
    next_at: int | None
    payload: str = ""
    problem: str | None = None


def first_slot(cron: str, timezone: str, after: int) -> int | None:
    """When the pattern is due next (milliseconds since 1970); None: never again."""
    return next(iter(next_slots(cron, timezone, after)), None)


def plan_passing(row: Any, now: int) -> Passing:
    """What is to be done about the due schedule `row`. Of several slots that were missed, the latest counts."""
    try:
        cron, timezone = check_cron(row["cron"]), check_zone(row["timezone"])
        slot = latest_slot(cron, timezone, row["next_at"], now)
        # A clock that was set back makes no slot come again.
        upcoming = next_slots(cron, timezone, max(slot, now), UPCOMING)
    except Exception as error:
        # A zone that this machine no longer knows, say: it must not keep the others waiting.
        return Passing(row, row["next_at"], None, problem=f"the next time cannot be told: {error}")
    payload = {
        "timestamp": _moment(slot),
        "last_timestamp": None if row["last_at"] is None else _moment(row["last_at"]),
        "timezone": timezone,
        "schedule_id": row["id"],
        "external_id": row["external_id"],
        "upcoming": [_moment(at) for at in upcoming],
    }
    return Passing(row, slot, upcoming[0] if upcoming else None, _encode(payload).decode())


def pass_slots(scene: Scene, passings: Sequence[Passing]) -> int:
    """Make the runs of slots, and let each schedule go on to its next; how many it did.

    A schedule that was changed meanwhile, or passed by another server, is left: whoever moves `next_at` makes the run,
    in the same transaction.
    """
    passed = 0
    for passing in passings:
        row, problem = passing.row, passing.problem
        there = Scene(scene.tx, scene.now, row["env"], scene.bell)
        problem = problem or why_closed(there)
        if problem is None and scene.tx.one("find_task", env=row["env"], id=row["task"]) is None:
            problem = f"no worker has described a task {row['task']!r}, so its slots pass without a run"
        moved = scene.tx.run(
            "pass_slot",
            id=row["id"],
            due=row["next_at"],
            cron=row["cron"],
            timezone=row["timezone"],
            task=row["task"],
            next_at=passing.next_at,
            last_at=passing.slot if problem is None else None,
            problem=problem,
        )
        passed += moved
        if moved and problem is None:
            run_id = slot_id(row["id"], passing.slot)
            make_runs(there, [NewRun(run_id, row["task"], passing.payload)], lambda _task: None)
            scene.tx.run("mark_scheduled", id=run_id, schedule_id=row["id"])
    return passed


def declare_schedules(scene: Scene, manifest: Manifest, elsewhere: Collection[str]) -> None:
    """Make the declared schedules those of the manifest, and of the tasks that other workers run `elsewhere`.

    One that stays as it was keeps its next slot, and one that somebody has deactivated stays so. While a task file
    cannot be used, its tasks may be in it, so that no schedule goes. In a preview they are inactive, unless they are
    meant for previews by name, until somebody activates them.
    """
    tx, env, now = scene.tx, scene.env, scene.now
    if why_closed(scene) is not None:
        return
    kind = _kind_of(scene)
    rows = {row["task"]: row for row in tx.all("list_declared", env=env)}
    described = {task.id for task in manifest.tasks}
    wanted = {
        task.id: task.schedule
        for task in manifest.tasks
        if task.schedule is not None and _is_meant_for(task.schedule, kind)
    }
    for task, spec in wanted.items():
        row = rows.get(task)
        begins = int(kind != PREVIEW or spec.environments is not None)
        if row is None:
            tx.run(
                "insert_schedule",
                id=_declared_id(env, task),
                env=env,
                task=task,
                kind="declared",
                deduplication_key=None,
                external_id=None,
                cron=spec.cron,
                timezone=spec.timezone,
                active=begins,
                next_at=_first_declared(spec, now) if begins else None,
                now=now,
            )
            continue
        # In a preview, as long as nobody has touched it, whether it is active is up to the code.
        is_as_declared = kind == PREVIEW and row["updated_at"] == row["created_at"]
        active = begins if is_as_declared else row["active"]
        if (row["cron"], row["timezone"], row["active"]) != (spec.cron, spec.timezone, active):
            tx.run(
                "change_schedule",
                id=row["id"],
                task=task,
                external_id=None,
                cron=spec.cron,
                timezone=spec.timezone,
                active=active,
                next_at=_first_declared(spec, now) if active else None,
                now=row["created_at"] if is_as_declared else now,
            )
    for task, row in rows.items():
        is_gone = task in described or (task not in elsewhere and not manifest.problems)
        if task not in wanted and is_gone:
            tx.run("remove_schedule", id=row["id"])


def _first_declared(spec: ScheduleSpec, now: int) -> int | None:
    try:
        return first_slot(check_cron(spec.cron), check_zone(spec.timezone), now)
    except InvalidOptions:
        # The worker knows more zones than this machine, say, and must be let in. The loop finds it and says so.
        return now


def _kind_of(scene: Scene) -> str:
    """The kind of the environment. Those of the first project are named by it."""
    row = environment_of(scene)
    return scene.env.partition("/")[0] if row is None else str(row["kind"])


def _is_meant_for(spec: ScheduleSpec, kind: str) -> bool:
    return spec.environments is None or kind in spec.environments


def _declared_id(env: str, task: str) -> str:
    # The same whenever the task comes back, so that none of its slots gets a second run.
    digest = blake2b(f"{env}\0{task}".encode(), digest_size=16).hexdigest()
    return f"sched_{digest}"


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
