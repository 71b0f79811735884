"""`detent schedules`: tasks that run by the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson
from detent_cli.project import connected

if TYPE_CHECKING:
    from detent.client import Detent
    from detent.model.schedule_views import ScheduleDetail, SchedulePage

__all__ = ["app"]

PAGE = 100

ScheduleId = Annotated[str, typer.Argument(metavar="SCHEDULE", help="The schedule's id, sched_….")]
Cron = Annotated[
    str, typer.Argument(metavar="CRON", help='Minute, hour, day, month, weekday, as one text: "30 9 * * MON-FRI".')
]
Zone = Annotated[str, typer.Option(metavar="ZONE", help="On whose clock, such as Europe/Berlin.")]

app = new_app("Schedules: tasks that run by the clock.")


@app.command("list", short_help="Schedules, newest first.")
def list_schedules(
    *,
    task: Annotated[str | None, typer.Option(metavar="TASK", help="Those of this task.")] = None,
    external_id: Annotated[str | None, typer.Option(metavar="ID", help="Those that were made for this.")] = None,
    kind: Annotated[
        Literal["declared", "created"] | None, typer.Option(help="Declared in the code, or created at run time.")
    ] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="Those that fall due, or do not.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Schedules to show.")] = 20,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Where the page before ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """Schedules, newest first: those declared with a task, and those created at run time."""
    from detent.model.schedule_views import SchedulePage

    filters: dict[str, Any] = {"task": task, "external_id": external_id, "kind": kind, "active": active}
    with connected() as client:
        page = _longer(client, SchedulePage(items=[], next_cursor=cursor), limit, filters)
        while len(page.items) < limit and page.next_cursor is not None:
            page = _longer(client, page, limit, filters)
    if as_json:
        from detent_cli.console import print_json

        print_json(page)
        return
    from detent_cli.schedule_pages import print_schedules

    print_schedules(page)
    if not page.items:
        fitting = any(value is not None for value in filters.values()) or cursor is not None
        typer.echo("No schedule fits." if fitting else "No schedules yet.", err=True)
    elif page.next_cursor is not None:
        typer.echo(f"There are more: --cursor {page.next_cursor}", err=True)


def _longer(client: Detent, page: SchedulePage, limit: int, filters: dict[str, Any]) -> SchedulePage:
    """`page` and the one that follows it, at most `limit` schedules."""
    most = min(PAGE, limit - len(page.items))
    following = client.schedules.list(limit=most, cursor=page.next_cursor, **filters).page()
    return following.model_copy(update={"items": [*page.items, *following.items]})


@app.command("create", short_help="Let a task run by the clock.")
def create_schedule(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")],
    cron: Cron,
    *,
    key: Annotated[
        str, typer.Option(metavar="KEY", help="Names the schedule: the same key changes the same schedule.")
    ],
    timezone: Zone = "UTC",
    external_id: Annotated[str | None, typer.Option(metavar="ID", help="What it is for; its runs are told.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let a task run by the clock, or change the schedule of this key.

    detent schedules create report "0 8 * * MON" --timezone Europe/Berlin --key weekly
    """
    with connected() as client:
        made = client.schedules.create(
            task=task, cron=cron, timezone=timezone, external_id=external_id, deduplication_key=key
        )
    _print(made, as_json)


@app.command("show", short_help="One schedule, with its next ten times.")
def show_schedule(schedule: ScheduleId, as_json: AsJson = False) -> None:
    """One schedule: its task, its pattern, the latest and the next ten times."""
    with connected() as client:
        found = client.schedules.retrieve(schedule)
    _print(found, as_json)


@app.command("update", short_help="Change a schedule that was created.")
def update_schedule(
    schedule: ScheduleId,
    *,
    task: Annotated[str | None, typer.Option(metavar="TASK", help="Another task.")] = None,
    cron: Annotated[str | None, typer.Option(metavar="CRON", help="Another pattern.")] = None,
    timezone: Annotated[str | None, typer.Option(metavar="ZONE", help="Another time zone.")] = None,
    external_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Another external id; an empty one takes it away.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change a schedule that was created at run time; what is left out stays."""
    changes: dict[str, Any] = {"task": task, "cron": cron, "timezone": timezone}
    if external_id is not None:
        changes["external_id"] = external_id or None
    with connected() as client:
        changed = client.schedules.update(schedule, **changes)
    _print(changed, as_json)


@app.command("activate", short_help="Let a schedule fall due again.")
def activate_schedule(schedule: ScheduleId, as_json: AsJson = False) -> None:
    """Let a schedule fall due again, from now on."""
    with connected() as client:
        changed = client.schedules.activate(schedule)
    _print(changed, as_json)


@app.command("deactivate", short_help="Let a schedule fall due no more.")
def deactivate_schedule(schedule: ScheduleId, as_json: AsJson = False) -> None:
    """Let a schedule fall due no more, until it is activated."""
    with connected() as client:
        changed = client.schedules.deactivate(schedule)
    _print(changed, as_json)


@app.command("delete", short_help="Remove a schedule that was created.")
def delete_schedule(schedule: ScheduleId, as_json: AsJson = False) -> None:
    """Remove a schedule that was created at run time. Its runs stay."""
    with connected() as client:
        client.schedules.delete(schedule)
    if as_json:
        from detent_cli.console import print_json

        print_json({"id": schedule, "deleted": True})
        return
    typer.echo(f"{schedule} deleted")


@app.command("preview", short_help="The next times of a pattern.")
def preview(
    cron: Cron,
    *,
    timezone: Zone = "UTC",
    after: Annotated[
        str | None, typer.Option(metavar="WHEN", help="From when on: 30d, or 2026-11-22T09:00:00Z; now unless set.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=100, help="Times to show.")] = 10,
    as_json: AsJson = False,
) -> None:
    """The next times of a pattern, without making a schedule.

    detent schedules preview "0 9 L * *" --timezone Europe/Berlin
    """
    with connected() as client:
        found = client.schedules.preview(cron, timezone=timezone, after=after, limit=limit)
    if as_json:
        from detent_cli.console import print_json

        print_json(found)
        return
    from detent_cli.schedule_pages import zone_time

    for moment in found.upcoming:
        typer.echo(zone_time(moment, found.timezone))


@app.command("timezones", short_help="The names of time zones.")
def timezones(
    text: Annotated[str, typer.Argument(metavar="[TEXT]", help="Only names with this in them.")] = "",
    as_json: AsJson = False,
) -> None:
    """The names of all time zones, or of those with a text in their names."""
    with connected() as client:
        names = [name for name in client.schedules.timezones() if text.lower() in name.lower()]
    if as_json:
        from detent_cli.console import print_json

        print_json({"items": names})
        return
    typer.echo("\n".join(names) if names else f"No time zone has {text!r} in its name.", err=not names)


def _print(schedule: ScheduleDetail, as_json: bool) -> None:
    if as_json:
        from detent_cli.console import print_json

        print_json(schedule)
        return
    from detent_cli.schedule_pages import print_schedule

    print_schedule(schedule)
