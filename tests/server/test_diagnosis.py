"""Diagnoses over a real engine: for each way in which a run fails or does not run, what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.server.project import Project, Worker

from detent.client.detent import Detent
from detent.engine.diagnosis_operations import DiagnosisOperations
from detent.engine.engine import Engine
from detent.engine.loops import Digest
from detent.engine.operations import Operations
from detent.engine.source_lines import SourceFiles
from detent.errors import NotFound
from detent.model.ids import new_id
from detent.model.manifest import Manifest, QueueSpec, TaskSpec
from detent.model.protocol import Beat, Claim, Emit, Hello, NewRun, Pause, SpanLine, Trigger, Wait
from detent.model.status import Status
from detent.model.task_error import TaskError
from detent.store import SqliteStore

TRACE = """Traceback (most recent call last):
  File "{file}", line 2, in charge
    pay(order)
  File "/usr/lib/python3.12/site-packages/httpx/_client.py", line 914, in send
    raise ReadTimeout(message)
ReadTimeout: order {n} took too long
"""


@pytest.fixture
def client(project: Project) -> Detent:
    return Detent(project.transport)


def start(project: Project, task: str = "plain", **options: Any) -> str:
    run_id = new_id("run")
    project.operations.trigger([NewRun(run_id, task, options.pop("payload", "null"), **options)])
    return run_id


def fail(project: Project, n: int, file: str = "/srv/shop.py", status: str = "FAILED", code: str = "") -> str:
    run_id = start(project)
    error = TaskError("ReadTimeout", f"order {n} took too long", TRACE.format(file=file, n=n), code)
    worker = project.worker()
    [grant] = worker.claim()
    assert grant.run_id == run_id
    worker.finish(grant, status, error=json.dumps(error.to_dict()))
    return run_id


def commands(found: Any) -> list[str]:
    return [step.command for step in found.next]


def test_a_failure_shows_the_users_frames_and_the_same_failure_elsewhere(project: Project, client: Detent) -> None:
    # Given the same problem in three runs, with other numbers, and another problem
    ids = [fail(project, n) for n in (1, 2, 3)]
    # When the second is diagnosed
    found = client.runs.diagnose(ids[1])
    # Then
    assert (found.verdict, found.status) == ("failed", Status.FAILED)
    assert found.summary == (
        "it failed after 1 attempt of 3: ReadTimeout: order 2 took too long (/srv/shop.py:2 in charge)"
    )
    assert found.error is not None
    assert [(frame.file, frame.line, frame.code) for frame in found.error.frames] == [("/srv/shop.py", 2, "pay(order)")]
    assert (found.error.folded, found.error.frames[0].source) == (1, None)
    assert found.similar is not None
    assert (found.similar.count, found.similar.runs) == (2, [ids[2], ids[0]])
    assert found.similar.fingerprint == found.error.fingerprint
    assert commands(found)[0] == f"detent runs replay {ids[1]}"
    assert (found.next[0].method, found.next[0].path) == ("POST", f"/api/v1/runs/{ids[1]}/replay")
    assert [attempt.outcome for attempt in found.attempts] == ["FAILED"]


def test_the_source_around_a_frame_is_read_from_the_projects_files(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "tasks" / "shop.py"
    file.parent.mkdir()
    file.write_text("def charge(order):\n    pay(order)\n")
    run_id = fail(project, 1, str(file))
    diagnoses = DiagnosisOperations(project.engine, project.telemetry, SourceFiles(tmp_path))
    frame = diagnoses.diagnose(id=run_id)["error"]["frames"][0]
    assert frame["file"] == "tasks/shop.py"
    assert frame["source"]["lines"] == ["def charge(order):", "    pay(order)"]
    # The worker of this test says that its process started in 1970: every file is newer.
    assert frame["source"]["state"] == "may_have_changed"


@pytest.mark.parametrize(
    ("status", "code", "verdict", "command"),
    [
        ("FAILED", "aborted", "aborted", "replay"),
        ("FAILED", "invalid_payload", "invalid_payload", "tasks show plain"),
        ("TIMED_OUT", "timed_out", "timed_out", "--max-duration 1h"),
        ("CRASHED", "crashed", "crashed", "replay"),
        ("CRASHED", "out_of_memory", "out_of_memory", "--machine large-1x"),
        ("SYSTEM_FAILURE", "", "system_failure", "replay"),
    ],
)
def test_each_end_has_a_verdict_and_something_to_do(
    project: Project, client: Detent, *, status: str, code: str, verdict: str, command: str
) -> None:
    found = client.runs.diagnose(fail(project, 1, status=status, code=code))
    assert (found.verdict, found.status) == (verdict, status)
    assert command in commands(found)[0]


def test_a_run_that_completed_or_was_cancelled_needs_nothing(project: Project, client: Detent) -> None:
    worker = project.worker()
    done = start(project)
    worker.finish(worker.claim()[0], output="1")
    canceled = start(project)
    client.runs.cancel(canceled, "no longer wanted")
    assert client.runs.diagnose(done).verdict == "completed"
    assert client.runs.diagnose(done).next == []
    found = client.runs.diagnose(canceled)
    assert (found.verdict, found.summary, found.similar) == ("canceled", "it was cancelled: no longer wanted", None)


def test_no_worker_and_a_task_that_no_worker_has_are_told_apart(project: Project, client: Detent) -> None:
    first = start(project)
    assert client.runs.diagnose(first).verdict == "no_worker"
    assert "detent dev" in commands(client.runs.diagnose(first))
    project.worker()
    other = start(project, "plian", known=True)
    found = client.runs.diagnose(other)
    assert found.verdict == "unknown_task"
    assert (found.waiting_for[0].kind, found.waiting_for[0].known) == ("worker", ["plain"])


def test_a_queue_that_no_worker_has_declared_is_named(project: Project, client: Detent, tmp_path: Path) -> None:
    # Given a run that was triggered while nobody was connected, and a worker of its task on another engine
    run_id = start(project, queue="nobody-declared-this", queue_given=True)
    elsewhere = SqliteStore(tmp_path / "elsewhere.db")
    project.engine.sessions.add(Worker(Engine(elsewhere)).session)
    elsewhere.close()
    found = client.runs.diagnose(run_id)
    assert (found.verdict, found.status) == ("unknown_queue", Status.PENDING_VERSION)
    assert (found.waiting_for[0].kind, found.waiting_for[0].name) == ("undeclared_queue", "nobody-declared-this")


def test_a_queue_at_its_limit_tells_who_holds_the_slots(project: Project, client: Detent) -> None:
    worker = project.worker()
    holder, waiting = (start(project, "typed", payload='{"title": "a"}') for _ in range(2))
    worker.claim()
    found = client.runs.diagnose(waiting)
    assert found.verdict == "queue_limit"
    [blocker] = found.waiting_for
    assert (blocker.name, blocker.running, blocker.limit, blocker.position) == ("typed", 1, 1, 1)
    assert [held["id"] for held in blocker.held_by] == [holder]
    assert commands(found)[0] == f"detent runs diagnose {holder}"
    dequeued = client.runs.diagnose(holder)
    assert (dequeued.verdict, dequeued.waiting_for) == ("dequeued", [])


def test_a_limit_of_the_environment_and_of_a_key_are_named(tmp_path: Path, project: Project, client: Detent) -> None:
    engine = Engine(project.store, env_limit=1)
    hello = Hello("worker_k", Manifest([TaskSpec("keyed", "q")], [QueueSpec("q", None, 1)]), 1, 1.0, "host")
    session, _ = engine.connect(hello, lambda _push: None)
    project.engine.sessions.add(session)
    ids = [start(project, "keyed", queue="q", concurrency_key="anna") for _ in range(2)]
    engine.handle(session, [Claim(async_=1)])
    found = client.runs.diagnose(ids[1])
    assert (found.verdict, found.waiting_for[0].key) == ("key_limit", "anna")
    other = start(project, "keyed", queue="q", concurrency_key="karl")
    of_env = DiagnosisOperations(engine, None, None).diagnose(id=other)
    assert (of_env["verdict"], of_env["waiting_for"][0]["held_by"][0]["id"]) == ("env_limit", ids[0])


def test_a_paused_queue_a_delay_and_a_retry_say_so(project: Project, client: Detent) -> None:
    worker = project.worker()
    project.engine.pause_queue("task/plain")
    paused = client.runs.diagnose(start(project))
    assert (paused.verdict, commands(paused)[0]) == ("queue_paused", "detent queues resume task/plain")
    later = project.engine.clock.now() + 3_600_000
    delayed = client.runs.diagnose(start(project, "with/slash", run_at=later))
    assert (delayed.verdict, delayed.waiting_for[0].kind) == ("delayed", "delay")
    again = start(project, "typed", payload='{"title": "a"}')
    [grant] = worker.claim()
    worker.finish(grant, "DELAYED", retry_at=later, error='{"type":"E","message":"once"}')
    found = client.runs.diagnose(again)
    assert (found.verdict, found.waiting_for[0].kind, found.attempts_left) == ("retrying", "retry", 3)
    assert found.summary.startswith("attempt 1 failed: E: once; attempt 2 of 5 starts at ")


def test_a_run_that_waits_names_its_token_and_its_children_with_their_own_reason(
    project: Project, client: Detent
) -> None:
    worker = project.worker()
    parent = start(project)
    [grant] = worker.claim()
    project.engine.pause_queue("typed")
    child = NewRun(new_id("run"), "typed", '{"title": "a"}')
    worker.say(Trigger(grant.run_id, grant.epoch, "1", [child], wait=True, park=True))
    found = client.runs.diagnose(parent)
    assert found.verdict == "waiting_for_runs"
    assert found.summary.endswith(f"{child.id} (typed): queue 'typed' is paused; position 1")
    assert [(blocker.kind, blocker.id) for blocker in found.waiting_for] == [("run", child.id)]
    assert commands(found)[0] == f"detent runs diagnose {child.id}"


def test_a_run_that_waits_for_a_moment_or_for_input_says_so(project: Project, client: Detent) -> None:
    worker = project.worker()
    sleeping = start(project)
    [grant] = worker.claim()
    worker.say(Wait(grant.run_id, grant.epoch, "w", 1, "time", for_ms=3_600_000, park=True))
    found = client.runs.diagnose(sleeping)
    assert (found.verdict, [blocker.kind for blocker in found.waiting_for]) == ("waiting_for_time", ["time"])
    asking = start(project)
    [grant] = worker.claim()
    worker.say(Wait(grant.run_id, grant.epoch, "i", 1, "input", "approval", park=True))
    found = client.runs.diagnose(asking)
    assert (found.verdict, found.waiting_for[0].name) == ("waiting_for_input", "approval")
    assert commands(found)[0] == f"detent runs send {asking} approval JSON"


def test_a_journal_that_does_not_fit_says_what_was_expected(project: Project, client: Detent) -> None:
    worker = project.worker()
    run_id = start(project)
    [grant] = worker.claim()
    worker.say(Pause(grant.run_id, grant.epoch, "step:a", "step 'a'", "step 'b'", "the code asked for another step"))
    found = client.runs.diagnose(run_id)
    assert found.verdict == "journal_mismatch"
    assert (found.waiting_for[0].expected, found.waiting_for[0].received) == ("step 'a'", "step 'b'")
    assert [step.action for step in found.next[:3]] == ["resume", "fork", "cancel"]
    assert found.next[1].body == {"at": "step:a"}


def test_the_slowest_spans_are_named_by_the_time_of_their_own(project: Project, client: Detent) -> None:
    worker = project.worker()
    run_id = start(project)
    [grant] = worker.claim()
    now = project.engine.clock.now()
    outer = SpanLine("s1", None, "outer", "user", now, now + 1_000, True, None)
    inner = SpanLine("s2", "s1", "inner", "user", now + 100, now + 900, True, None)
    worker.emit(grant, spans=[outer, inner])
    found = client.runs.diagnose(run_id)
    times = {span.name: (span.self_ms, span.total_ms) for span in found.slowest}
    assert (times["inner"], times["outer"]) == ((800, 800), (200, 1_000))
    assert found.slowest[0].name == "inner"


def test_a_run_of_another_environment_is_not_there(project: Project) -> None:
    run_id = start(project)
    other = DiagnosisOperations(Engine(project.store, env="prod"), None, None)
    with pytest.raises(NotFound, match="no run"):
        other.diagnose(id=run_id)


def test_what_has_been_counted_of_a_problem_is_told(project: Project, client: Detent) -> None:
    ids = [fail(project, n) for n in (1, 2)]
    assert client.runs.diagnose(ids[0]).similar == client.runs.diagnose(ids[0]).similar
    engine = project.engine
    digest = Digest(engine.write, engine.store, engine.clock)
    while digest.sweep():
        pass
    found = client.runs.diagnose(ids[0])
    assert found.similar is not None
    assert (found.similar.count, found.similar.total, found.similar.status) == (1, 2, "UNRESOLVED")
    assert found.next[-1].command == f"detent errors show {found.similar.fingerprint}"
    client.errors.resolve(found.similar.fingerprint)
    resolved = client.runs.diagnose(ids[0]).similar
    assert resolved is not None
    assert resolved.status == "RESOLVED"


def test_a_run_that_executes_says_how_it_is_with_its_worker(project: Project, client: Detent) -> None:
    worker = project.worker()
    run_id = start(project)
    [grant] = worker.claim()
    now = project.engine.clock.now()
    worker.say(Emit(grant.run_id, grant.epoch, started_at=now))
    assert client.runs.diagnose(run_id).verdict == "executing"
    worker.say(Beat(lag_ms=4_000, blocked_by="tasks/shop.py:7 in charge"))
    blocked = client.runs.diagnose(run_id)
    assert (blocked.verdict, commands(blocked)[0]) == ("worker_blocked", "detent report")
    assert "tasks/shop.py:7 in charge" in blocked.summary
    project.store.write(lambda tx: tx.run("beat_worker", id="worker_1", now=now - 20_000, lag_ms=0, blocked_by=None))
    assert client.runs.diagnose(run_id).verdict == "worker_silent"
    client.runs.cancel(run_id)
    assert client.runs.diagnose(run_id).verdict == "cancelling"


def test_a_run_that_waits_for_a_token_names_it_with_the_address_that_completes_it(
    project: Project, client: Detent
) -> None:
    token = client.tokens.create(timeout="1h")
    worker = project.worker()
    run_id = start(project)
    [grant] = worker.claim()
    worker.say(Wait(grant.run_id, grant.epoch, "t", 1, "token", token.id, park=True))
    found = client.runs.diagnose(run_id)
    assert (found.verdict, found.status) == ("waiting_for_token", Status.WAITING)
    [blocker] = found.waiting_for
    assert (blocker.kind, blocker.id, blocker.callback, blocker.until) == (
        "token",
        token.id,
        token.url,
        token.timeout_at,
    )
    assert commands(found)[0] == f"detent tokens complete {token.id} JSON"
    assert found.next[0].path == f"/api/v1/waitpoints/tokens/{token.id}/complete"


def test_the_files_of_the_project_are_not_shown_to_environments_of_others(project: Project, tmp_path: Path) -> None:
    # Given a server with the files of its first project, and the same failure there and in an environment of another
    file = tmp_path / "tasks" / "shop.py"
    file.parent.mkdir()
    file.write_text("def charge(order):\n    pay(order)\n")
    ours = Operations(project.engine, sources=SourceFiles(tmp_path))
    run_id = fail(project, 1, str(file))
    other = new_id("env")
    seen = {}
    for env, operations in (("dev", ours), (other, ours.in_env(other))):
        project.store.write(lambda tx, env=env: tx._db.execute("UPDATE runs SET env = ?", (env,)))  # type: ignore[misc]
        # When each looks at its run
        [frame] = operations.call("runs.diagnosis", id=run_id)["error"]["frames"]
        seen[env] = frame["source"]
    # Then only the first reads the source
    assert seen["dev"]["lines"] == ["def charge(order):", "    pay(order)"]
    assert seen[other] is None
