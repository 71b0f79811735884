"""The clients, over HTTP and in process, against a real engine."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import msgspec
import pytest
from tests.server.project import KEY, Project

from detent import idempotency_keys, queue
from detent.client import AsyncDetent, Detent, HttpTransport
from detent.client.http_messages import trigger_request
from detent.errors import (
    Conflict,
    DetentError,
    InvalidOptions,
    InvalidPayload,
    NotFound,
    ServerUnreachable,
    TaskNotFound,
)
from detent.model.ids import new_id
from detent.model.protocol import LogLine, NewRun, SpanLine, Trigger
from detent.model.transport import Transport
from detent.server.http import HttpServer


@pytest.fixture(params=["http", "embedded"])
def transport(request: pytest.FixtureRequest, project: Project, server: HttpServer) -> Iterator[Transport]:
    transport: Transport = project.transport
    if request.param == "http":
        transport = HttpTransport(server.url, KEY)
    yield transport
    transport.close()


@pytest.fixture
def client(transport: Transport) -> Detent:
    return Detent(transport)


def test_a_triggered_run_is_followed_to_its_output(project: Project, client: Detent) -> None:
    worker = project.worker()
    run = client.tasks.trigger("typed", {"title": "x"}, tags=["a", "b"], metadata={"k": [1]}, max_attempts=2)

    grant = worker.claim()[0]
    assert client.runs.retrieve(run.id).status == "DEQUEUED"
    worker.emit(grant, started_at=grant.created_at + 1)
    assert client.runs.retrieve(run.id).status == "EXECUTING"
    worker.finish(grant, output='{"n": 1}')

    outcome = client.runs.poll(run.id, timeout="5s")
    assert (outcome.ok, outcome.output, outcome.error) == (True, {"n": 1}, None)
    detail = client.runs.retrieve(run.id)
    assert (detail.payload, detail.output, detail.metadata) == ({"title": "x"}, {"n": 1}, {"k": [1]})
    assert (detail.tags, detail.max_attempts, detail.version) == (["a", "b"], 2, "20261122.1")
    assert detail.is_success
    assert detail.created_at.tzinfo is not None
    assert [event.kind for event in client.runs.events(run.id)] == ["trigger", "claim", "finish"]


def test_polling_gives_up_after_its_time(project: Project, client: Detent) -> None:
    project.worker()
    run = client.tasks.trigger("plain")

    with pytest.raises(TimeoutError, match=run.id):
        client.runs.poll(run.id, timeout=0.05)


def test_attempts_show_the_errors_they_ended_with(project: Project, client: Detent) -> None:
    worker = project.worker()
    run = client.tasks.trigger("plain")
    error = '{"type": "ValueError", "message": "first\\nline", "traceback": "Traceback ..."}'
    worker.finish(worker.claim()[0], "DELAYED", error=error, retry_at=1)
    project.engine.sweep()
    worker.finish(worker.claim()[0], "FAILED", error=error.replace("first", "second"))

    detail = client.runs.retrieve(run.id)

    assert [(a.number, a.outcome, a.error and a.error.message) for a in detail.attempts] == [
        (1, "RETRY", "first\nline"),
        (2, "FAILED", "second\nline"),
    ]
    assert detail.error is not None
    assert detail.error.traceback == "Traceback ..."
    listed = next(iter(client.runs.list()))
    assert listed.error is not None
    assert (listed.error.message, listed.error.traceback) == ("second line", "")


def test_a_run_says_why_it_is_not_running(project: Project, client: Detent) -> None:
    nobody = client.tasks.trigger("early")
    reason = client.runs.retrieve(nobody.id).not_running
    assert reason is not None
    assert (reason.code, "detent dev" in reason.message) == ("no_worker", True)

    worker = project.worker()
    runs = [client.tasks.trigger("typed", {"title": "x"}) for _ in range(3)]
    late = client.tasks.trigger("plain", delay="1h")
    worker.claim()

    waiting = client.runs.retrieve(runs[2].id).not_running
    delayed = client.runs.retrieve(late.id).not_running
    assert waiting is not None
    assert delayed is not None
    assert waiting.message == "queue 'typed' has reached its limit: 1 of 1 run; position 2"
    assert (waiting.running, waiting.limit, waiting.position) == (1, 1, 2)
    assert delayed.code == "delayed"
    assert client.runs.retrieve(runs[0].id).not_running is None


def test_a_parent_waits_for_its_children_and_its_trace_shows_them(project: Project, client: Detent) -> None:
    worker = project.worker()
    parent = client.tasks.trigger("plain")
    grant = worker.claim()[0]
    worker.say(
        Trigger(
            grant.run_id,
            grant.epoch,
            "fan",
            [NewRun("", "plain", "1", known=True), NewRun("", "plain", "2", known=True)],
            wait=True,
            park=True,
        )
    )
    reason = client.runs.retrieve(parent.id).not_running
    assert reason is not None
    assert reason.message == "waits for 2 runs that it started"

    for child in worker.claim():
        worker.finish(child, output="1")
    again = worker.claim()[0]
    now = project.engine.clock.now()
    spans = [
        SpanLine("s1", None, "outer", "user", now, now + 5, True, '{"a": 1}'),
        SpanLine("s2", "s1", "inner", "user", now, now + 2, False, None),
    ]
    worker.emit(again, spans=spans, started_at=now)
    worker.finish(again, output="3")

    trace = client.runs.trace(parent.id)
    assert [span.kind for span in trace.children] == ["queue", "attempt"]
    attempt = trace.children[1]
    assert sorted(span.kind for span in attempt.children) == ["child", "child", "queue", "user", "wait"]
    outer = next(span for span in attempt.children if span.kind == "user")
    assert (outer.attributes, outer.children[0].name, outer.children[0].ok) == ({"a": 1}, "inner", False)
    assert trace.ok
    assert trace.end is not None
    assert [child.status for child in client.runs.children(parent.id)] == ["COMPLETED", "COMPLETED"]
    assert client.runs.retrieve(parent.id).children_total == 2


def test_logs_are_read_by_level_and_read_on(project: Project, client: Detent) -> None:
    worker = project.worker()
    run = client.tasks.trigger("plain")
    grant = worker.claim()[0]
    worker.emit(
        grant,
        logs=[
            LogLine(1000, "debug", "one", None, None, "logger"),
            LogLine(2000, "error", "two", '{"n": 2}', "s1", "print"),
        ],
    )

    lines = client.runs.logs(run.id)

    assert [(line.level, line.message, line.attributes) for line in lines] == [
        ("debug", "one", None),
        ("error", "two", {"n": 2}),
    ]
    assert lines[0].at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert [line.message for line in client.runs.logs(run.id, level="warn")] == ["two"]
    assert client.runs.logs(run.id, after=lines[1].seq) == []


def test_a_list_goes_on_over_pages_that_stay_while_runs_arrive(project: Project, client: Detent) -> None:
    project.worker()
    made = client.tasks.batch_trigger([{"payload": n} for n in range(7)], "plain")
    seen = []
    for run in client.runs.list(limit=3):
        seen.append(run.id)
        client.tasks.trigger("plain")

    assert seen == [run.id for run in reversed(made.runs)]
    page = client.runs.list(limit=3, batch=made.id).page()
    assert page.next_cursor is not None
    following = client.runs.list(limit=5, batch=made.id, cursor=page.next_cursor).page()
    assert [run.id for run in page.items + following.items] == seen
    assert following.next_cursor is None


def test_filters_find_the_runs_they_name(project: Project, client: Detent) -> None:
    worker = project.worker()
    first = client.tasks.trigger("plain", tags="red", queue={"name": "side", "concurrency_limit": 3}).id
    second = client.tasks.trigger("typed", {"title": "x"}, tags=["red", "blue"]).id
    third = client.tasks.trigger("with/slash").id
    grants = {grant.run_id: grant for grant in worker.claim()}
    worker.finish(grants[first], "FAILED", error='{"type": "ValueError", "message": "Kaboom happened"}')
    worker.finish(grants[third], output="1")

    def found(**filters: object) -> list[str]:
        return [run.id for run in client.runs.list(**filters)]  # type: ignore[arg-type]

    assert found(tag="red") == [second, first]
    assert found(tag=["blue", "red"]) == [second, first]
    assert found(tag="red", task="plain") == [first]
    assert found(status=["failed", "COMPLETED"]) == [third, first]
    assert found(status="DEQUEUED") == [second]
    assert found(status="EXECUTING") == []
    assert found(queue="side") == [first]
    assert found(search="kaboom") == [first]
    assert found(search="slash") == [third]
    assert found(search=second[:30]) == [second]
    assert found(since="1h") == [third, second, first]
    assert found(until=datetime.now(UTC) - timedelta(hours=1)) == []
    assert found(parent="run_none") == []


def test_errors_come_with_their_type_and_sentence(project: Project, client: Detent) -> None:
    project.worker()
    with pytest.raises(TaskNotFound, match="did you mean 'typed'"):
        client.tasks.trigger("type")
    with pytest.raises(InvalidPayload, match=r"payload\.title: got 1, expected string"):
        client.tasks.trigger("typed", {"title": 1})
    with pytest.raises(NotFound, match="run_x"):
        client.runs.retrieve("run_x")
    with pytest.raises(InvalidOptions, match="did you mean 'FAILED'"):
        client.runs.list(status="faild")
    run = client.tasks.trigger("plain")
    assert client.runs.cancel(run.id, "enough") == "CANCELED"
    assert client.runs.cancel(run.id) == "CANCELED"
    done = client.tasks.trigger("plain")
    worker = project.worker()
    worker.finish(worker.claim()[0], output="1")
    with pytest.raises(Conflict, match="COMPLETED"):
        client.runs.cancel(done.id)


def test_tasks_queues_and_health_are_shown(project: Project, client: Detent) -> None:
    project.worker()
    client.tasks.trigger("typed", {"title": "x"})

    assert [task.id for task in client.tasks.list()] == ["plain", "typed", "with/slash"]
    task = client.tasks.retrieve("plain")
    assert (task.file, task.line, task.served) == ("tasks/plain.py", 3, True)
    queues = {queue.name: queue for queue in client.queues.list()}
    assert (queues["typed"].limit, queues["typed"].queued) == (1, 1)
    assert queues["task/plain"].limit is None
    assert client.health().workers == 1


def test_a_second_trigger_with_one_idempotency_key_finds_the_first_run(project: Project, client: Detent) -> None:
    project.worker()

    first = client.tasks.trigger("plain", idempotency_key="once")
    second = client.tasks.trigger("plain", idempotency_key="once")

    assert (first.cached, second.id, second.cached) == (False, first.id, True)


def test_the_async_client_does_the_same(project: Project, transport: Transport) -> None:
    worker = project.worker()

    async def scenario() -> None:
        client = AsyncDetent(transport)
        batch = await client.tasks.batch_trigger([{"task": "plain"}, {"task": "plain", "options": {"tags": "x"}}])
        run = await client.tasks.trigger("plain", {"a": 1})
        for grant in worker.claim():
            worker.finish(grant, output="2")
        outcomes = await asyncio.gather(*(client.runs.poll(made.id) for made in [*batch.runs, run]))
        assert [outcome.output for outcome in outcomes] == [2, 2, 2]
        assert len([listed async for listed in client.runs.list(limit=2)]) == 3
        assert len((await client.runs.list(limit=2).page()).items) == 2
        assert (await client.runs.trace(run.id)).ok
        with pytest.raises(NotFound):
            await client.runs.retrieve("run_x")
        await client.close()
        if isinstance(transport, HttpTransport):
            await transport.aclose()

    asyncio.run(scenario())


def test_a_trigger_that_is_sent_again_makes_no_second_run(project: Project, server: HttpServer) -> None:
    project.worker()
    run = NewRun(new_id("run"), "plain", '{"a": 1}', known=True)
    with Detent(api_url=server.url, secret_key=KEY) as client:
        transport = HttpTransport(server.url, KEY)
        for _ in range(2):
            assert [handle.id for handle in transport.trigger([run])] == [run.id]
        assert len(list(client.runs.list())) == 1
        transport.close()


def test_no_server_is_told_with_the_command_that_starts_one(server: HttpServer) -> None:
    server.stop()
    transport = HttpTransport(server.url, KEY, max_retries=1)

    with pytest.raises(ServerUnreachable, match=r"detent dev"):
        transport.call("health")

    transport.close()


@contextmanager
def scripted(*answers: tuple[int, bytes]) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers one after the other, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            asked.append(f"{self.command} {self.path}")
            status, body = answers[len(asked) - 1]
            self.send_response(status)
            self.send_header("content-type", "application/json" if body[:1] == b"{" else "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def test_an_answer_that_is_not_a_detent_servers_is_told_as_such() -> None:
    with (
        scripted((200, b"<html>")) as (url, _),
        Detent(api_url=url) as client,
        pytest.raises(DetentError, match="check that the address is a detent server's"),
    ):
        client.health()


def test_a_busy_server_is_asked_again_where_that_is_safe() -> None:
    run_made = b'{"id": "run_1"}'
    with (
        scripted((503, b"<busy>"), (502, b"<busy>"), (202, run_made), (503, b"<busy>")) as (url, asked),
        Detent(api_url=url) as client,
    ):
        assert client.tasks.trigger("plain").id == "run_1"
        with pytest.raises(DetentError, match="503"):
            client.keys.create("x")

    assert asked == ["POST /api/v1/tasks/plain/trigger"] * 3 + ["POST /api/v1/keys"]


def test_a_client_takes_either_a_transport_or_an_address(project: Project) -> None:
    with pytest.raises(InvalidOptions, match="not both"):
        Detent(project.transport, api_url="http://x")
    with pytest.raises(InvalidOptions, match="api_url"):
        Detent(secret_key="k")


def test_what_goes_over_the_wire_holds_the_payload_as_json_not_as_text() -> None:
    request = trigger_request([NewRun("run_1", "a/b", '{"x": 1}')], None)

    assert request.path == "/api/v1/tasks/a%2Fb/trigger"
    assert msgspec.json.decode(request.body or b"") == {"payload": {"x": 1}, "run": {"id": "run_1", "task": "a/b"}}


def test_a_run_is_replayed_with_changes_that_are_checked(project: Project, client: Detent) -> None:
    worker = project.worker()
    first = client.tasks.trigger("typed", {"title": "x"}, tags=["a"], priority=5)
    worker.finish(worker.claim()[0])
    same = client.runs.retrieve(client.runs.replay(first.id).id)
    assert (same.payload, same.tags, same.priority, same.replay_of) == ({"title": "x"}, ["a"], 5, first.id)
    other = client.runs.replay(
        first.id,
        {"title": "y"},
        tags=["b"],
        delay=timedelta(hours=1),
        queue=queue("elsewhere", concurrency_limit=3),
        idempotency_key=["again", "1"],
        metadata={"k": 1},
    )
    changed = client.runs.retrieve(other.id)
    assert (changed.payload, changed.tags, changed.status) == ({"title": "y"}, ["b"], "DELAYED")
    assert (changed.queue, changed.metadata, changed.priority) == ("elsewhere", {"k": 1}, 5)
    assert next(queue for queue in client.queues.list() if queue.name == "elsewhere").limit == 3
    again = client.runs.replay(first.id, {"title": "y"}, idempotency_key=idempotency_keys.create(["again", "1"]))
    assert (again.id, again.cached) == (other.id, True)
    with pytest.raises(InvalidPayload, match=r"payload\.title"):
        client.runs.replay(first.id, {"title": 3})
    with pytest.raises(InvalidOptions, match="max_attempts"):
        client.runs.replay(first.id, max_attempts=0)
    with pytest.raises(InvalidOptions, match="leave debounce out"):
        client.runs.replay(first.id, debounce={"key": "k", "delay": "5s"})
    with pytest.raises(NotFound):
        client.runs.replay("run_absent")


def test_a_large_payload_is_replayed_and_can_be_replaced(project: Project, client: Detent) -> None:
    project.worker()
    first = client.tasks.trigger("plain", "x" * 200_000)
    assert client.runs.retrieve(client.runs.replay(first.id).id).payload == "x" * 200_000
    assert client.runs.retrieve(client.runs.replay(first.id, "y" * 200_000).id).payload == "y" * 200_000
    assert client.runs.retrieve(client.runs.replay(first.id, None).id).payload is None


def test_the_journal_is_shown_and_a_run_is_forked_at_an_entry(project: Project, client: Detent) -> None:
    worker = project.worker()
    first = client.tasks.trigger("plain")
    grant = worker.claim()[0]
    children = [NewRun(new_id("run"), "typed", '{"title":"x"}') for _ in range(25)]
    worker.say(Trigger(grant.run_id, grant.epoch, "fan-out#1", children))
    with closing(sqlite3.connect(project.store.path)) as connection, connection:
        connection.executemany(
            "INSERT INTO journal (run_id, key, kind, target, attempt, seq, value, error, status, at)"
            " VALUES (?, ?, 'step', 'f', 1, ?, ?, ?, ?, 1800000000000)",
            [
                (first.id, "short#1", 1, '"v"', None, "ok"),
                (first.id, "long#1", 2, '"' + "v" * 300 + '"', None, "ok"),
                (first.id, "bad#1", 3, None, '{"type":"E","message":"m","traceback":"t"}', "error"),
            ],
        )

    fan_out, short, long, bad = client.runs.journal(first.id)
    assert (fan_out.key, fan_out.kind, fan_out.runs_total, len(fan_out.runs)) == ("fan-out#1", "trigger", 25, 20)
    assert (short.key, short.target, short.status, short.value, short.attempt) == ("short#1", "f", "ok", '"v"', 1)
    assert short.at == datetime.fromtimestamp(1_800_000_000, UTC)
    assert long.value == '"' + "v" * 199 + "…"
    assert bad.error is not None
    assert (bad.status, bad.error.message, bad.error.traceback) == ("error", "m", "")
    assert [entry.key for entry in client.runs.journal(first.id, after=1, limit=1)] == ["long#1"]

    forked = client.runs.retrieve(client.runs.fork(first.id, "bad#1").id)
    assert (forked.replay_of, forked.forked_at) == (first.id, "bad#1")
    assert [entry.key for entry in client.runs.journal(forked.id)] == ["fan-out#1", "short#1", "long#1"]
    assert client.runs.retrieve(client.runs.fork(first.id).id).forked_at == ""
    with pytest.raises(NotFound, match=r"did you mean 'bad#1'"):
        client.runs.fork(first.id, "bad#2")


def test_a_paused_run_says_why_and_what_can_be_done_and_goes_on_when_resumed(project: Project, client: Detent) -> None:
    worker = project.worker()
    run = client.tasks.trigger("plain")
    with pytest.raises(Conflict, match="not paused but QUEUED"):
        client.runs.resume(run.id)
    worker.claim()
    paused = '{"reason":"journal_mismatch","key":"a#1","expected":"step","received":"wait","message":"another way"}'
    with closing(sqlite3.connect(project.store.path)) as connection, connection:
        connection.execute("UPDATE runs SET state = 'WAITING', worker_id = NULL, paused = ?", [paused])
    detail = client.runs.retrieve(run.id)
    assert detail.paused is not None
    assert (detail.paused.key, detail.paused.expected, detail.paused.received) == ("a#1", "step", "wait")
    assert detail.not_running is not None
    assert detail.not_running.code == "run_paused"
    assert "another way; resume, fork or cancel it" in detail.not_running.message
    assert client.runs.resume(run.id) == "QUEUED"
    assert client.runs.retrieve(run.id).paused is None


def test_the_async_client_runs_runs_again(project: Project, transport: Transport) -> None:
    project.worker()

    async def again() -> list[object]:
        client = AsyncDetent(transport)
        first = await client.tasks.trigger("plain", 1)
        made = [await client.runs.replay(first.id, 2), await client.runs.fork(first.id)]
        assert await client.runs.journal(first.id) == []
        with pytest.raises(Conflict):
            await client.runs.resume(first.id)
        payloads = [(await client.runs.retrieve(run.id)).payload for run in made]
        if isinstance(transport, HttpTransport):
            await transport.aclose()
        return payloads

    assert asyncio.run(again()) == [2, 1]


def test_an_idempotency_key_with_another_payload_is_a_conflict_over_http_too(project: Project, client: Detent) -> None:
    project.worker()
    first = client.tasks.trigger("plain", 1, idempotency_key="k")
    with pytest.raises(Conflict, match=first.id):
        client.tasks.trigger("plain", 2, idempotency_key="k")


def test_a_debounced_trigger_finds_the_run_that_waits(project: Project, client: Detent) -> None:
    project.worker()
    first = client.tasks.trigger("plain", 1, debounce={"key": "k", "delay": "1h", "mode": "trailing"})
    again = client.tasks.trigger("plain", 2, debounce={"key": "k", "delay": "1h", "mode": "trailing"})
    assert (again.id, again.cached) == (first.id, True)
    assert client.runs.retrieve(first.id).payload == 2
    assert [event.kind for event in client.runs.events(first.id)] == ["trigger", "debounced"]
