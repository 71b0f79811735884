"""`detent migrate`."""

from __future__ import annotations

from tests.cli.conftest import Project
from tests.servers.postgresql import fresh_database


def test_the_schema_is_checked_and_made(project: Project) -> None:
    checked = project.detent("migrate", "--check")
    made = project.json("migrate")
    again = project.detent("migrate", "--check")

    assert (checked.returncode, again.returncode) == (1, 0)
    assert made["before"] == 0
    assert made["version"] == made["needed"]
    assert "nothing to do" in again.stdout


def test_everything_is_moved_to_a_server_and_what_comes_next_is_told(project: Project) -> None:
    run = project.trigger("greet", {"name": "Ada"})
    with fresh_database() as url:
        moved = project.detent("migrate", "--from", "sqlite:///.detent/detent.db", "--to", url)
        again = project.detent("migrate", "--from", "sqlite:///.detent/detent.db", "--to", url, "--json")
        back = project.json("migrate", "--from", url, "--to", "sqlite:///other/detent.db")

    assert moved.returncode == 0, moved.stderr
    assert "compared row by row" in moved.stdout
    assert "copying runs: 1 of" in moved.stderr
    assert again.returncode == 1
    assert "was moved from sqlite" in again.stdout
    assert back["tables"]["runs"] == 1
    assert run


def test_options_that_do_not_belong_together_are_refused(project: Project) -> None:
    for wrong in (
        ["--from", "sqlite:///a"],
        ["--check", "--from", "sqlite:///a", "--to", "sqlite:///b"],
        ["--restart"],
    ):
        assert project.detent("migrate", *wrong).returncode == 2


def test_objects_are_copied_between_stores(project: Project) -> None:
    (project.root / "a").mkdir()
    (project.root / "a" / "one").write_bytes(b"1")

    done = project.json("migrate", "--objects", str(project.root / "a"), str(project.root / "b"))

    assert done == {"objects": {"copied": 1, "present": 0, "bytes": 1}}
