"""What clients can ask about schedules. Answers are plain JSON values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, get_args

from msgspec import Meta

from ..errors import Conflict, InvalidOptions, NotFound, TaskNotFound
from ..model.cron import check_cron, check_zone, next_slots, zones
from ..model.ids import new_id
from ..model.limits import NAME_CHARS, SCHEDULE_KEY_CHARS
from .engine import Engine
from .queries import Cursor, Moment, PageSize, moment, whole
from .scene import Scene
from .schedules import UPCOMING, first_slot
from .views import iso

__all__ = ["ScheduleOperations"]

#: Most schedules of a page, and most times that are worked out in advance.
PAGE, MOST_UPCOMING = 100, 100

#: Names and keys, as `_text` checks them.
Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS)]
Key = Annotated[str, Meta(min_length=1, max_length=SCHEDULE_KEY_CHARS)]
Kind = Literal["declared", "created"]
TimesLimit = Annotated[int, Meta(ge=1, le=MOST_UPCOMING)]

_KEEP: Final[Any] = object()


class ScheduleOperations:
    """The operations on the schedules of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The operations by the names that transports use."""
        return {
            "schedules.activate": self.activate,
            "schedules.create": self.create,
            "schedules.deactivate": self.deactivate,
            "schedules.delete": self.delete,
            "schedules.list": self.list,
            "schedules.preview": self.preview,
            "schedules.retrieve": self.retrieve,
            "schedules.update": self.update,
            "timezones.list": self.timezones,
        }

    def create(
        self, *, task: Name, cron: str, deduplication_key: Key, timezone: str = "UTC", external_id: Key | None = None
    ) -> dict[str, Any]:
        """Make a schedule, or give the one of the key these values.

        Parameters:
          deduplication_key: names the schedule within the environment.
          external_id: of what it is for; each of its runs is told.

        Errors: `InvalidOptions`; `TaskNotFound` where a worker is connected and does not have the task.
        """
        key = _text("deduplication_key", deduplication_key, SCHEDULE_KEY_CHARS)
        values = _values(task, cron, timezone, external_id)

        def make(scene: Scene) -> str:
            self._check_task(scene, values["task"])
            row = scene.tx.one("find_schedule_by_key", env=scene.env, key=key)
            if row is not None:
                return _change(scene, row, **values)
            schedule_id = new_id("sched", scene.now)
            scene.tx.run(
                "insert_schedule",
                id=schedule_id,
                env=scene.env,
                kind="created",
                deduplication_key=key,
                active=1,
                next_at=first_slot(values["cron"], values["timezone"], scene.now),
                now=scene.now,
                **values,
            )
            return schedule_id

        return self._write(make)

    def update(
        self,
        *,
        id: str,
        task: Name | None = None,
        cron: str | None = None,
        timezone: str | None = None,
        external_id: Key | None = _KEEP,
    ) -> dict[str, Any]:
        """Change a schedule that was created; what is left out stays.

        Errors: `NotFound`, `InvalidOptions`, `TaskNotFound`; `Conflict` for one that is declared in the code.
        """

        def change(scene: Scene) -> str:
            row = self._created(scene, id)
            values = _values(
                row["task"] if task is None else task,
                row["cron"] if cron is None else cron,
                row["timezone"] if timezone is None else timezone,
                row["external_id"] if external_id is _KEEP else external_id,
            )
            if values["task"] != row["task"]:
                self._check_task(scene, values["task"])
            return _change(scene, row, **values)

        return self._write(change)

    def activate(self, *, id: str) -> dict[str, Any]:
        """Let a schedule fall due again, from now on. Errors: `NotFound`."""
        return self._write(lambda scene: _change(scene, self._row(scene, id), active=1))

    def deactivate(self, *, id: str) -> dict[str, Any]:
        """Let a schedule fall due no more. Errors: `NotFound`."""
        return self._write(lambda scene: _change(scene, self._row(scene, id), active=0))

    def delete(self, *, id: str) -> dict[str, Any]:
        """Remove a schedule that was created; its runs stay. Errors: `NotFound`; `Conflict` for one that is declared
        in the code."""

        def remove(scene: Scene) -> None:
            scene.tx.run("remove_schedule", id=self._created(scene, id)["id"])

        self._engine.write(remove)
        return {"id": id, "deleted": True}

    def retrieve(self, *, id: str) -> dict[str, Any]:
        """One schedule, with its next ten times. Errors: `NotFound`."""
        rows = self._engine.store.read("find_schedule", id=id, env=self._engine.env)
        if not rows:
            raise _unknown(id)
        row = rows[0]
        upcoming: tuple[int, ...] = ()
        if row["next_at"] is not None:
            following = next_slots(row["cron"], row["timezone"], row["next_at"], UPCOMING - 1)
            upcoming = (row["next_at"], *following)
        return _view(row) | {"upcoming": [iso(at) for at in upcoming]}

    def list(
        self,
        *,
        task: str | None = None,
        external_id: str | None = None,
        kind: Kind | None = None,
        active: bool | None = None,
        limit: PageSize = 25,
        cursor: Cursor | None = None,
    ) -> dict[str, Any]:
        """A page of schedules, newest first."""
        if kind is not None and kind not in get_args(Kind):
            raise InvalidOptions(f"kind must be one of {', '.join(get_args(Kind))}, got {kind!r}")
        if active is not None and not isinstance(active, bool):
            raise InvalidOptions(f"active must be true or false, got {active!r}")
        most = whole("limit", limit, 1, PAGE)
        rows = self._engine.store.read(
            "view_schedules",
            env=self._engine.env,
            task=task,
            external_id=external_id,
            kind=kind,
            active=active,
            before=2**62 if cursor is None else whole("cursor", cursor, 1, 2**62),
            n=most + 1,
        )
        more = str(rows[most - 1]["seq"]) if len(rows) > most else None
        return {"items": [_view(row) for row in rows[:most]], "next_cursor": more}

    def preview(
        self, *, cron: str, timezone: str = "UTC", after: Moment | None = None, limit: TimesLimit = UPCOMING
    ) -> dict[str, Any]:
        """The next times of a pattern after a moment, by default now. Errors: `InvalidOptions`."""
        cron, timezone = check_cron(cron), check_zone(timezone)
        since = moment("after", after)
        since = self._engine.clock.now() if since is None else since
        slots = next_slots(cron, timezone, since, whole("limit", limit, 1, MOST_UPCOMING))
        return {"cron": cron, "timezone": timezone, "upcoming": [iso(at) for at in slots]}

    def timezones(self) -> dict[str, Any]:
        """The names of all time zones."""
        return {"items": ["UTC", *(zone for zone in zones() if zone != "UTC")]}

    def _write(self, act: Callable[[Scene], str]) -> dict[str, Any]:
        schedule_id = self._engine.write(act)
        self._engine.schedules.wake()
        return self.retrieve(id=schedule_id)

    def _row(self, scene: Scene, schedule_id: str) -> Any:
        row = scene.tx.one("find_schedule", id=schedule_id, env=scene.env)
        if row is None:
            raise _unknown(schedule_id)
        return row

    def _created(self, scene: Scene, schedule_id: str) -> Any:
        row = self._row(scene, schedule_id)
        if row["kind"] != "created":
            raise Conflict(
                f"schedule {schedule_id} is declared with task {row['task']!r}; change it there, "
                "or deactivate it to stop it"
            )
        return row

    def _check_task(self, scene: Scene, task: str) -> None:
        """Refuse a task that no connected worker has; while none is connected, it may be on its way."""
        known = self._engine.knows(task)
        if known is False and scene.tx.one("find_task", env=scene.env, id=task) is None:
            raise TaskNotFound.among(task, [row["id"] for row in scene.tx.all("list_tasks", env=scene.env)])


def _values(task: Any, cron: Any, timezone: Any, external_id: Any) -> dict[str, Any]:
    return {
        "task": _text("task", task, NAME_CHARS),
        "cron": check_cron(cron),
        "timezone": check_zone(timezone),
        "external_id": None if external_id is None else _text("external_id", external_id, SCHEDULE_KEY_CHARS),
    }


def _change(scene: Scene, row: Any, **changes: Any) -> str:
    """Write `changes` into `row`; its id. The slot that is due next stays, unless the times are others."""
    names = ("task", "cron", "timezone", "external_id", "active")
    before = {name: row[name] for name in names}
    values = before | changes
    if any(values[name] != before[name] for name in ("cron", "timezone", "active")):
        comes = bool(values["active"])
        next_at = first_slot(values["cron"], values["timezone"], scene.now) if comes else None
    elif values == before:
        return str(row["id"])
    else:
        next_at = row["next_at"]
    # Later than it was made, by which one tells that somebody has changed it.
    now = max(scene.now, row["created_at"] + 1)
    scene.tx.run("change_schedule", id=row["id"], next_at=next_at, now=now, **values)
    return str(row["id"])


def _view(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "task": row["task"],
        "kind": row["kind"],
        "cron": row["cron"],
        "timezone": row["timezone"],
        "active": bool(row["active"]),
        "external_id": row["external_id"],
        "deduplication_key": row["deduplication_key"],
        "next_at": iso(row["next_at"]),
        "last_at": iso(row["last_at"]),
        "problem": row["problem"],
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
    }


def _unknown(schedule_id: str) -> NotFound:
    return NotFound(f"no schedule {schedule_id!r} in this project; list them with `detent schedules list`")


def _text(name: str, value: Any, most: int) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        shown = repr(value)
        raise InvalidOptions(f"{name} must be a text of 1 to {most} characters, got {shown[:80]}")
    return value
