from __future__ import annotations

from tests.cli.conftest import Project


def test_queues_show_what_waits_in_them(project: Project) -> None:
    # Given an empty project, which says how to get queues
    assert "detent dev" in project.detent("queues", "list").stderr
    assert project.json("queues", "list") == {"items": []}
    # When two runs wait
    for name in ("Ada", "Bob"):
        project.trigger("greet", {"name": name})
    # Then
    [queue] = project.json("queues", "list")["items"]
    assert (queue["name"], queue["queued"], queue["running"], queue["limit"]) == ("task/greet", 2, 0, None)
    assert project.detent("queues", "list").stdout.splitlines()[1].split() == ["task/greet", "0", "-", "-", "2"]


def test_a_queue_is_paused_limited_and_reset(project: Project) -> None:
    # Given a queue with a slash in its name
    project.trigger("greet", {"name": "Ada"}, "--concurrency-key", "ada")
    # When and then
    paused = project.detent("queues", "pause", "task/greet")
    assert (paused.returncode, paused.stdout.splitlines()[0]) == (0, "task/greet  paused")
    assert not project.json("queues", "resume", "task/greet")["paused"]
    limited = project.json("queues", "limit", "task/greet", "3", "--ttl", "2h")
    assert (limited["limit"], limited["declared_limit"]) == (3, None)
    assert "until" in project.detent("queues", "show", "task/greet").stdout
    assert "declared -" in project.detent("queues", "list").stdout
    assert project.json("queues", "reset", "task/greet")["limit"] is None
    assert project.json("queues", "keys", "task/greet")["items"] == [{"key": "ada", "running": 0, "queued": 1}]
    # And what cannot be is said
    refused = project.detent("queues", "limit", "task/greet", "0")
    assert (refused.returncode, "pause" in refused.stderr) == (2, True)
    assert "task/greet" in project.detent("queues", "show", "task/greed").stderr
