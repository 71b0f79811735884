"""Keys, projects, environments and people from the command line."""

from __future__ import annotations

from tests.cli.conftest import Project


def test_keys_are_made_listed_rotated_and_revoked(project: Project) -> None:
    # Given a project that no server runs for, and a key of it
    made = project.detent("keys", "create", "--name", "deploy bot", "--expires-in", "90d")
    secret = made.stdout.strip()
    assert secret.startswith("dt_dev_")
    assert "not shown again" in made.stderr
    key = made.stderr.split()[0]
    # Then it is listed by how it begins
    listed = project.detent("keys", "list")
    assert all(part in listed.stdout for part in (key, "deploy bot", "dev", "never", "expires"))
    assert secret not in listed.stdout
    # When it is rotated, and its successor revoked
    fresh = project.json("keys", "rotate", key, "--overlap", "1h")
    assert fresh["replaces"] == key
    assert project.detent("keys", "revoke", fresh["id"]).stderr == f"{fresh['id']} is revoked.\n"
    # Then
    state = {row["id"]: row for row in project.json("keys", "list")["items"]}
    assert state[key]["rotated_to"] == fresh["id"]
    assert state[fresh["id"]]["revoked_at"] is not None
    refused = project.detent("keys", "rotate", key)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)


def test_projects_environments_and_people_are_managed(project: Project) -> None:
    assert project.detent("projects", "create", "blog", "--name", "Our blog").stdout == "blog\n"
    assert project.detent("environments", "create", "fix-1", "--project", "blog").stdout == "preview/fix-1\n"
    shown = project.detent("projects", "show", "blog").stdout
    assert all(part in shown for part in ("Our blog", "staging", "prod", "preview/fix-1"))
    assert project.detent("--project-slug", "blog", "environments", "archive", "preview/fix-1").returncode == 0
    # And people
    assert project.detent("people", "add", "ada@example.com", "--role", "admin").stderr == "ada@example.com is admin.\n"
    key = project.json("keys", "create", "--personal", "--email", "ada@example.com", "--name", "laptop")
    assert (key["person"], key["environment"]) == ("ada@example.com", None)
    assert "ada@example.com" in project.detent("people", "list").stdout
    assert project.detent("people", "remove", "ada@example.com").stderr == "ada@example.com is removed.\n"
    again = project.detent("people", "remove", "ada@example.com")
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
