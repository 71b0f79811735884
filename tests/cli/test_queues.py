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
