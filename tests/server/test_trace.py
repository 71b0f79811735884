"""The trace of a run follows from its history, also where the run wrote nothing itself."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.conftest import DIALECTS
from tests.server.project import Project

from detent.model.protocol import NewRun, SpanLine, Trigger


def made(project: Project, **options: Any) -> str:
    from detent.model.options import new_run

    run = new_run("plain", "1", options, now=project.engine.clock.now(), known=True)
    return project.transport.trigger([run])[0].id


def shape(span: dict[str, Any]) -> Any:
    inner = [shape(child) for child in span["children"]]
    return (span["kind"], span["name"], inner) if inner else (span["kind"], span["name"])


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_run_that_did_nothing_has_its_time_in_the_queue_and_its_attempt(project: Project) -> None:
    worker = project.worker()
    run_id = made(project)
    worker.finish(worker.claim()[0])

    trace = project.transport.call("runs.trace", id=run_id)

    assert shape(trace) == ("run", "plain", [("queue", "queued"), ("attempt", "attempt 1")])
    assert (trace["ok"], trace["children"][1]["ok"]) == (True, True)
    assert all(span["end"] for span in [trace, *trace["children"]])


def test_a_delay_and_a_backoff_are_shown_between_the_attempts(project: Project) -> None:
    worker = project.worker()
    run_id = made(project, delay=0.001)
    while not (grants := worker.claim()):
        project.engine.sweep()
    worker.finish(grants[0], "DELAYED", error='{"type": "E", "message": "m"}', retry_at=1)

    trace = project.transport.call("runs.trace", id=run_id)

    assert shape(trace) == (
        "run",
        "plain",
        [("wait", "delayed"), ("queue", "queued"), ("attempt", "attempt 1"), ("retry", "backoff")],
    )
    assert (trace["end"], trace["ok"], trace["children"][3]["end"]) == (None, None, None)
    assert trace["children"][2]["ok"] is False


def test_a_lost_worker_ends_one_attempt_and_the_next_has_its_number(project: Project) -> None:
    worker = project.worker()
    run_id = made(project)
    worker.claim()
    project.engine.lose_worker("worker_1", "it was killed")

    trace = project.transport.call("runs.trace", id=run_id)
    attempts = project.transport.call("runs.retrieve", id=run_id)["attempts"]

    assert shape(trace)[2] == [("queue", "queued"), ("attempt", "attempt 1"), ("queue", "queued")]
    assert (attempts[0]["outcome"], attempts[0]["error"]["message"]) == ("LOST", "it was killed")


def test_children_and_spans_lie_in_the_attempt_that_made_them(project: Project) -> None:
    worker = project.worker()
    run_id = made(project)
    first = worker.claim()[0]
    now = project.engine.clock.now()
    worker.emit(first, spans=[SpanLine("a", None, "first try", "hook", now, now, True, None)])
    worker.finish(first, "DELAYED", retry_at=1)
    project.engine.sweep()
    second = worker.claim()[0]
    worker.say(Trigger(second.run_id, second.epoch, "k", [NewRun("", "plain", "2", known=True)]))
    worker.emit(second, spans=[SpanLine("b", "gone", "second try", "user", now, now, True, None)])

    spans = project.transport.call("runs.trace", id=run_id)["children"]

    attempts = [shape(span) for span in spans if span["kind"] == "attempt"]
    assert attempts[0] == ("attempt", "attempt 1", [("hook", "first try")])
    assert sorted(attempts[1][2]) == [("child", "plain"), ("user", "second try")]


def test_a_fan_out_beyond_what_is_shown_says_how_many_are_left_out(project: Project) -> None:
    worker = project.worker()
    run_id = made(project)
    grant = worker.claim()[0]
    for key in ("one", "two"):
        children = [NewRun("", "plain", "2", known=True) for _ in range(600)]
        worker.say(Trigger(grant.run_id, grant.epoch, key, children))

    trace = project.transport.call("runs.trace", id=run_id)
    detail = project.transport.call("runs.retrieve", id=run_id)

    assert trace["attributes"]["children_not_shown"] == 200
    assert (len(detail["children"]), detail["children_total"]) == (100, 1200)
