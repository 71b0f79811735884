"""Schedules that are declared in code come, change and go with it, under a real `detent dev`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.faults.project import Project, wait_for

REPORT = """
from detent import ScheduledPayload, schedules


@schedules.task(id="sched-report", cron="{cron}", timezone="{zone}")
async def report(payload: ScheduledPayload) -> str:
    return f"{{payload.schedule_id}} {{payload.timestamp.isoformat()}}"
"""
PLAIN = """
from detent import task


@task(id="sched-report")
async def report() -> str:
    return "by hand"
"""


def test_a_declared_schedule_comes_changes_and_goes_with_the_code_and_is_made_once(tmp_path: Path) -> None:
    with Project(tmp_path / "p", tasks=REPORT.format(cron="0 0 1 1 *", zone="UTC")) as project:
        code = project.root / "tasks" / "work.py"
        dev = project.dev()
        client = project.client()
        [schedule] = client.schedules.list()
        assert (schedule.task, schedule.kind, schedule.cron, schedule.timezone) == (
            "sched-report", "declared", "0 0 1 1 *", "UTC",
        )  # fmt: skip

        # When its time has come while nothing ran
        dev.kill_everything()
        with closing(sqlite3.connect(project.root / ".detent" / "detent.db")) as db, db:
            db.execute("UPDATE schedules SET next_at = 1577836800000")
        dev = project.dev()
        client = project.client()
        # Then it runs once, for the latest of the times that were missed
        wait_for("its run ends", lambda: client.runs.list(schedule=schedule.id, status="completed").page().items)
        [run] = client.runs.list()
        year = schedule.created_at.year
        assert client.runs.retrieve(run.id).output == f"{schedule.id} {year}-01-01T00:00:00+00:00"

        # When the code changes
        code.write_text(REPORT.format(cron="30 9 * * *", zone="Europe/Berlin"))
        # Then so does the schedule
        wait_for("the change", lambda: [each.timezone for each in client.schedules.list()] == ["Europe/Berlin"])
        [changed] = client.schedules.list()
        assert (changed.id, changed.cron) == (schedule.id, "30 9 * * *")

        # When a file cannot be read, nothing goes; when the schedule is taken out of the code, it goes
        code.write_text("import nothing_that_is_there\n")
        wait_for("the problem is known", lambda: client.health().problems)
        assert [each.id for each in client.schedules.list()] == [schedule.id]
        code.write_text(PLAIN)
        wait_for("it has gone", lambda: not client.schedules.list().page().items)
        assert [each.schedule_id for each in client.runs.list()] == [schedule.id]
