"""The schedules of a client, blocking and awaited."""

from __future__ import annotations

import builtins
from typing import Any, Literal

from ..model.duration import When
from ..model.schedule_views import ScheduleDetail, SchedulePage, SchedulePreview
from ..model.transport import Transport
from . import schedule_calls as calls
from .pages import AsyncSchedules, Schedules

__all__ = ["AsyncSchedulesResource", "SchedulesResource"]


class SchedulesResource:
    """Schedules: tasks that run by the clock. Times are read by a cron pattern of five fields (minute, hour, day of the
    month, month, weekday) on the clock of a time zone."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        *,
        task: Any,
        cron: str,
        deduplication_key: str,
        timezone: str = "UTC",
        external_id: str | None = None,
    ) -> ScheduleDetail:
        """Make a schedule, or give the one of this key these values. It is durable when this returns.

        Parameters:
          task: a task, or the id of one. `cron`: such as ``"30 9 * * MON-FRI"``.
          deduplication_key: names the schedule in its environment, 1 to 512 characters: the same key changes the same
            schedule, so that code that makes it may run again.
          timezone: such as ``"Europe/Berlin"``.
          external_id: of what it is for, a customer say; each of its runs is told, and it can be searched for.

        Errors: `InvalidOptions`; `TaskNotFound` where a worker is connected and does not have the task.
        """
        return calls.create_schedule(task, cron, timezone, external_id, deduplication_key).ask(self._transport)

    def retrieve(self, schedule_id: str) -> ScheduleDetail:
        """One schedule, with the next ten times (`upcoming`). Errors: `NotFound`."""
        return calls.retrieve_schedule(schedule_id).ask(self._transport)

    def update(
        self,
        schedule_id: str,
        *,
        task: Any | None = None,
        cron: str | None = None,
        timezone: str | None = None,
        external_id: str | None = calls.KEEP,
    ) -> ScheduleDetail:
        """Change a schedule that was created; what is left out stays. ``external_id=None`` takes it away.

        Errors: `NotFound`, `InvalidOptions`; `Conflict` for one that is declared in the code.
        """
        return calls.update_schedule(schedule_id, task, cron, timezone, external_id).ask(self._transport)

    def activate(self, schedule_id: str) -> ScheduleDetail:
        """Let a schedule fall due again, from now on: what it missed is not made up for. Errors: `NotFound`."""
        return calls.activate_schedule(schedule_id).ask(self._transport)

    def deactivate(self, schedule_id: str) -> ScheduleDetail:
        """Let a schedule fall due no more, until it is activated; also one that is declared in the code.
        Errors: `NotFound`."""
        return calls.deactivate_schedule(schedule_id).ask(self._transport)

    def delete(self, schedule_id: str) -> None:
        """Remove a schedule that was created. Its runs stay. Errors: `NotFound`; `Conflict` for one that is declared in
        the code."""
        calls.delete_schedule(schedule_id).ask(self._transport)

    del_ = delete

    def list(
        self,
        *,
        task: Any | None = None,
        external_id: str | None = None,
        kind: Literal["declared", "created"] | None = None,
        active: bool | None = None,
        limit: int = 25,
        cursor: str | None = None,
    ) -> Schedules:
        """Schedules, newest first. Iterate over it: further pages are fetched as needed.

        Parameters:
          task, external_id, kind, active: only those.
          limit: schedules of a page, 1 to 100. `cursor`: where to go on, from `SchedulePage.next_cursor`.
        """
        filters = calls.schedule_filters(task, external_id, kind, active, limit)

        def fetch(where: str | None) -> SchedulePage:
            return calls.list_schedules(filters, where).ask(self._transport)

        return Schedules(fetch, cursor)

    def preview(
        self, cron: str, *, timezone: str = "UTC", after: When | None = None, limit: int = 10
    ) -> SchedulePreview:
        """The next times of a pattern, without making a schedule.

        Parameters:
          after: the moment to begin at; now when None. `limit`: how many times, 1 to 100.

        Errors: `InvalidOptions`.
        """
        return calls.preview_schedule(cron, timezone, after, limit).ask(self._transport)

    def timezones(self) -> builtins.list[str]:
        """The names of all time zones."""
        return calls.list_timezones().ask(self._transport)


class AsyncSchedulesResource:
    """Schedules: tasks that run by the clock. Times are read by a cron pattern of five fields (minute, hour, day of the
    month, month, weekday) on the clock of a time zone."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self,
        *,
        task: Any,
        cron: str,
        deduplication_key: str,
        timezone: str = "UTC",
        external_id: str | None = None,
    ) -> ScheduleDetail:
        """Make a schedule, or give the one of this key these values. It is durable when this returns.

        Parameters:
          task: a task, or the id of one. `cron`: such as ``"30 9 * * MON-FRI"``.
          deduplication_key: names the schedule in its environment, 1 to 512 characters: the same key changes the same
            schedule, so that code that makes it may run again.
          timezone: such as ``"Europe/Berlin"``.
          external_id: of what it is for, a customer say; each of its runs is told, and it can be searched for.

        Errors: `InvalidOptions`; `TaskNotFound` where a worker is connected and does not have the task.
        """
        return await calls.create_schedule(task, cron, timezone, external_id, deduplication_key).ask_async(
            self._transport
        )

    async def retrieve(self, schedule_id: str) -> ScheduleDetail:
        """One schedule, with the next ten times (`upcoming`). Errors: `NotFound`."""
        return await calls.retrieve_schedule(schedule_id).ask_async(self._transport)

    async def update(
        self,
        schedule_id: str,
        *,
        task: Any | None = None,
        cron: str | None = None,
        timezone: str | None = None,
        external_id: str | None = calls.KEEP,
    ) -> ScheduleDetail:
        """Change a schedule that was created; what is left out stays. ``external_id=None`` takes it away.

        Errors: `NotFound`, `InvalidOptions`; `Conflict` for one that is declared in the code.
        """
        return await calls.update_schedule(schedule_id, task, cron, timezone, external_id).ask_async(self._transport)

    async def activate(self, schedule_id: str) -> ScheduleDetail:
        """Let a schedule fall due again, from now on: what it missed is not made up for. Errors: `NotFound`."""
        return await calls.activate_schedule(schedule_id).ask_async(self._transport)

    async def deactivate(self, schedule_id: str) -> ScheduleDetail:
        """Let a schedule fall due no more, until it is activated; also one that is declared in the code.
        Errors: `NotFound`."""
        return await calls.deactivate_schedule(schedule_id).ask_async(self._transport)

    async def delete(self, schedule_id: str) -> None:
        """Remove a schedule that was created. Its runs stay. Errors: `NotFound`; `Conflict` for one that is declared in
        the code."""
        await calls.delete_schedule(schedule_id).ask_async(self._transport)

    del_ = delete

    def list(
        self,
        *,
        task: Any | None = None,
        external_id: str | None = None,
        kind: Literal["declared", "created"] | None = None,
        active: bool | None = None,
        limit: int = 25,
        cursor: str | None = None,
    ) -> AsyncSchedules:
        """Schedules, newest first. Use ``async for``: further pages are fetched as needed.

        Parameters:
          task, external_id, kind, active: only those.
          limit: schedules of a page, 1 to 100. `cursor`: where to go on, from `SchedulePage.next_cursor`.
        """
        filters = calls.schedule_filters(task, external_id, kind, active, limit)

        async def fetch(where: str | None) -> SchedulePage:
            return await calls.list_schedules(filters, where).ask_async(self._transport)

        return AsyncSchedules(fetch, cursor)

    async def preview(
        self, cron: str, *, timezone: str = "UTC", after: When | None = None, limit: int = 10
    ) -> SchedulePreview:
        """The next times of a pattern, without making a schedule.

        Parameters:
          after: the moment to begin at; now when None. `limit`: how many times, 1 to 100.

        Errors: `InvalidOptions`.
        """
        return await calls.preview_schedule(cron, timezone, after, limit).ask_async(self._transport)

    async def timezones(self) -> builtins.list[str]:
        """The names of all time zones."""
        return await calls.list_timezones().ask_async(self._transport)
