from __future__ import annotations

from tests.cli.conftest import Project

BERLIN = ("--timezone", "Europe/Berlin")


def test_a_schedule_is_made_shown_changed_and_removed(project: Project) -> None:
    # When one is made
    arguments = ("create", "greet", "30 2 * * *", *BERLIN, "--key", "k", "--external-id", "ada")
    made = project.json("schedules", *arguments)
    # Then it is shown, with its next times on its own clock
    shown = project.detent("schedules", "show", made["id"]).stdout
    assert all(part in shown for part in (made["id"], "active", "30 2 * * *, Europe/Berlin", "created", "ada"))
    assert shown.count(" 02:30 +0") >= 9
    row = project.detent("schedules", "list", "--task", "greet", "--kind", "created", "--active").stdout.splitlines()[1]
    assert row.split()[:2] == [made["id"], "greet"]
    # When it is changed and stopped
    changed = project.json("schedules", "update", made["id"], "--cron", "0 9 L * *", "--external-id", "")
    assert (changed["cron"], changed["external_id"]) == ("0 9 L * *", None)
    assert "not active" in project.detent("schedules", "deactivate", made["id"]).stdout
    # Then it goes
    assert project.detent("schedules", "delete", made["id"]).stdout == f"{made['id']} deleted\n"
    again = project.detent("schedules", "activate", made["id"])
    assert (again.returncode, again.stdout, again.stderr.count("\n")) == (1, "", 1)


def test_times_are_previewed_and_zones_are_found(project: Project) -> None:
    preview = ("schedules", "preview", "30 2 * * *", *BERLIN, "--after", "2026-10-24T12:00:00Z", "--limit", "2")
    assert project.detent(*preview).stdout.splitlines() == ["Sun 2026-10-25 02:30 +0200", "Mon 2026-10-26 02:30 +0100"]
    assert project.json("schedules", "timezones", "berl") == {"items": ["Europe/Berlin"]}
    wrong = project.detent("schedules", "preview", "0 25 * * *")
    assert (wrong.returncode, wrong.stdout, "has a bad hour" in wrong.stderr) == (2, "", True)
