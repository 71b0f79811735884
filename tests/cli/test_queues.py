from __future__ import annotations

from tests.cli.conftest import Project
from tests.cli.near import Near

from detent.model.ids import new_id
from detent.model.protocol import NewRun


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


def test_a_queue_is_paused_limited_and_reset(near: Near) -> None:
    # Given a queue with a slash in its name
    run = NewRun(new_id("run"), "near-fail", queue="task/greet", concurrency_key="ada", known=True)
    near.host.engine.trigger([run])
    # When and then
    paused = near.detent("queues", "pause", "task/greet")
    assert (paused.status, paused.out.splitlines()[0]) == (0, "task/greet  paused")
    assert not near.json("queues", "resume", "task/greet")["paused"]
    limited = near.json("queues", "limit", "task/greet", "3", "--ttl", "2h")
    assert (limited["limit"], limited["declared_limit"]) == (3, None)
    assert "until" in near.detent("queues", "show", "task/greet").out
    assert "declared -" in near.detent("queues", "list").out
    assert near.json("queues", "reset", "task/greet")["limit"] is None
    assert near.json("queues", "keys", "task/greet")["items"] == [{"key": "ada", "running": 0, "queued": 1}]
    assert "ada" in near.detent("queues", "keys", "task/greet").out
    # And what cannot be is said
    refused = near.detent("queues", "limit", "task/greet", "0")
    assert (refused.status, "pause" in refused.err) == (2, True)
    assert "task/greet" in near.detent("queues", "show", "task/greed").err


def test_a_real_worker_leaves_a_paused_queue_alone_and_goes_on_at_once(served: Project) -> None:
    served.detent("queues", "pause", "task/greet")
    run = served.trigger("greet", {"name": "Ada"})
    assert served.json("runs", "get", run)["not_running"]["code"] == "paused"
    served.detent("queues", "resume", "task/greet")
    assert "Hello, Ada!" in served.detent("runs", "wait", run, "--timeout", "60s").stdout
