"""Following runs, lists, batches and streams by server-sent events."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import Any

import pytest
from tests.server.listening import Listener, listening
from tests.server.project import KEY, Project, Worker

from detent.client import Detent, HttpTransport
from detent.engine.run_feeds import ListFeed
from detent.model.protocol import Grant, LogLine, MetadataOp, StreamParts
from detent.server.http import HttpServer


@pytest.fixture
def worker(project: Project) -> Worker:
    return project.worker()


@pytest.fixture
def client(project: Project, worker: Worker) -> Detent:
    return Detent(project.transport)


def _set(key: str, value: int) -> MetadataOp:
    return MetadataOp("self", "set", key, str(value))


def _parts(first: int, *parts: str, **more: Any) -> StreamParts:
    return StreamParts("tokens", first, [f'"{part}"' for part in parts], **more)


def _live(worker: Worker, grant: Grant, events: int = 4) -> None:
    """A whole life of a run that executes."""
    worker.emit(grant, started_at=int(time.time() * 1000))
    for number in range(events):
        worker.emit(grant, metadata=[_set("n", number)])
    worker.emit(grant, tags=["late"])
    worker.finish(grant, output='{"done": true}')


def test_the_first_event_is_the_present_state_then_each_change_comes_and_an_end(
    project: Project, server: HttpServer, client: Detent, worker: Worker
) -> None:
    run = client.tasks.trigger("plain", 1, tags=["early"])
    with listening(server.url, f"/realtime/v1/runs/{run.id}") as listener:
        listener.until(lambda heard: len(heard) == 1)
        [grant] = worker.claim()
        listener.until(lambda heard: heard[-1].data["status"] == "DEQUEUED")
        worker.emit(grant, started_at=int(time.time() * 1000))
        listener.until(lambda heard: heard[-1].data["status"] == "EXECUTING")
        worker.emit(grant, metadata=[_set("n", 7)], tags=["late"])
        listener.until(lambda heard: heard[-1].data.get("metadata") == {"n": 7})
        worker.finish(grant, output='{"done": true}')
        heard = listener.to_the_end()

    assert listener.status == 200
    assert listener.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert listener.headers["cache-control"] == "no-store"
    assert [event.event for event in heard] == ["message"] * (len(heard) - 1) + ["end"]
    first, last = heard[0].data, heard[-2].data
    assert (first["status"], first["tags"], first["attempts"], first["output"], first["events"]) == (
        "QUEUED", ["early"], [], None, [],
    )  # fmt: skip
    assert (last["status"], last["tags"], last["output"]) == ("COMPLETED", ["early", "late"], {"done": True})
    assert [attempt["outcome"] for attempt in last["attempts"]] == ["COMPLETED"]
    assert [row["kind"] for event in heard[:-1] for row in event.data["events"]] == ["claim", "finish"]
    assert heard[-1].data == {"id": run.id, "status": "COMPLETED"}
    assert len({event.id for event in heard}) == len(heard)


def test_whoever_comes_back_after_any_event_misses_nothing_and_hears_nothing_twice(
    project: Project, server: HttpServer, client: Detent, worker: Worker
) -> None:
    run = client.tasks.trigger("plain", 1)
    path = f"/realtime/v1/runs/{run.id}"
    with listening(server.url, path) as listener:
        listener.until(lambda heard: heard)
        for attempt in (1, 2):
            [grant] = worker.claim()
            worker.emit(grant, metadata=[_set("attempt", attempt)])
            if attempt == 1:
                worker.finish(grant, "DELAYED", retry_at=1, error='{"type": "E", "message": "again"}')
                project.engine.sweep()
        worker.finish(grant)
        heard = listener.to_the_end()
    history = [row.seq for row in client.runs.events(run.id)]

    for place, event in enumerate(heard[:-1]):
        with listening(server.url, path, last=event.id) as again:
            rest = again.to_the_end()
        known = [row["seq"] for one in heard[: place + 1] for row in one.data["events"]]
        fresh = [row["seq"] for one in rest if one.event == "message" for row in one.data["events"]]
        # What was there before the first event is in its state.
        assert [*known, *fresh] == history[-len([*known, *fresh]) :]
        assert [one.id for one in rest][-2:] == [one.id for one in heard][-2:] or place == len(heard) - 2
        assert rest[-1].event == "end"
    with listening(server.url, path, last=heard[-1].id) as over:
        assert over.is_open()
        assert over.status == 204


def test_the_last_event_id_may_also_stand_in_the_address(server: HttpServer, client: Detent, worker: Worker) -> None:
    run = client.tasks.trigger("plain", 1)
    [grant] = worker.claim()
    worker.finish(grant)
    with listening(server.url, f"/realtime/v1/runs/{run.id}") as listener:
        [state, end] = listener.to_the_end()
    with listening(server.url, f"/realtime/v1/runs/{run.id}?last_event_id={state.id}") as again:
        assert again.to_the_end() == [end]


def test_what_a_restarted_server_tells_goes_on_where_the_old_one_ended(
    project: Project, server: HttpServer, client: Detent, worker: Worker
) -> None:
    run = client.tasks.trigger("plain", 1)
    [grant] = worker.claim()
    with listening(server.url, f"/realtime/v1/runs/{run.id}") as listener:
        [state] = listener.until(lambda heard: heard)
        server.stop()
        assert listener.to_the_end() == [state]
    worker.emit(grant, metadata=[_set("n", 1)])
    again = project.serve()
    try:
        with listening(again.url, f"/realtime/v1/runs/{run.id}", last=state.id) as listener:
            listener.until(lambda heard: heard)
            worker.finish(grant)
            heard = listener.to_the_end()
    finally:
        again.stop()
    assert [event.data["status"] for event in heard] == ["DEQUEUED", "COMPLETED", "COMPLETED"]
    assert [row["kind"] for event in heard[:-1] for row in event.data["events"]] == ["finish"]


def test_fifty_who_follow_one_run_hear_the_same_and_a_follower_of_another_hears_none_of_it(
    server: HttpServer, client: Detent, worker: Worker
) -> None:
    run, other = client.tasks.trigger("plain", 1), client.tasks.trigger("plain", 2, delay="1h")
    with ExitStack() as all_of_them:
        crowd = [all_of_them.enter_context(listening(server.url, f"/realtime/v1/runs/{run.id}")) for _ in range(50)]
        stranger = all_of_them.enter_context(listening(server.url, f"/realtime/v1/runs/{other.id}"))
        for one in (*crowd, stranger):
            one.until(lambda heard: heard)
        [grant] = worker.claim()
        _live(worker, grant)
        heard = [one.to_the_end() for one in crowd]
        assert len(stranger.until(lambda heard: heard)) == 1
    assert all(one[-1].event == "end" for one in heard)
    assert all(
        [row["kind"] for event in one[:-1] for row in event.data["events"]] == ["claim", "finish"] for one in heard
    )
    assert all(one[-2].data == heard[0][-2].data for one in heard)
    assert {event.data["id"] for one in heard for event in one} == {run.id}


def test_a_list_tells_of_runs_that_come_to_fit_and_of_no_others(
    server: HttpServer, client: Detent, worker: Worker
) -> None:
    old = client.tasks.trigger("plain", 0, tags=["mine"])
    path = "/realtime/v1/runs?tags=mine,ours&task=plain"
    with listening(server.url, path) as listener:
        [present] = listener.until(lambda heard: heard)
        client.tasks.trigger("plain", 1, tags=["theirs"])
        client.tasks.trigger("typed", {"title": "x"}, tags=["mine"])
        fresh = client.tasks.trigger("plain", 2, tags=["ours"])
        heard = listener.until(lambda heard: len(heard) >= 2)
        for grant in worker.claim():
            worker.finish(grant)
        heard = listener.until(
            lambda heard: (
                {run["id"] for event in heard for run in event.data["runs"] if run["status"] == "COMPLETED"}
                == {old.id, fresh.id}
            )
        )
    assert present.data["snapshot"] is True
    assert [run["id"] for run in present.data["runs"]] == [old.id]
    assert not any(event.data["snapshot"] for event in heard[1:])
    assert {run["id"] for event in heard for run in event.data["runs"]} == {old.id, fresh.id}
    told = [(run["id"], run["status"], run["metadata"]) for event in heard for run in event.data["runs"]]
    assert len(told) == len({str(one) for one in told})


def test_whoever_comes_back_to_a_list_hears_what_changed_meanwhile(
    server: HttpServer, client: Detent, worker: Worker
) -> None:
    first, second = (client.tasks.trigger("plain", n, tags=["mine"]) for n in range(2))
    with listening(server.url, "/realtime/v1/runs?tags=mine") as listener:
        [present] = listener.until(lambda heard: heard)
    grants = {grant.run_id: grant for grant in worker.claim()}
    worker.finish(grants[first.id])
    with listening(server.url, "/realtime/v1/runs?tags=mine", last=present.id) as listener:
        [missed] = listener.until(lambda heard: heard)
    assert {run["id"]: run["status"] for run in missed.data["runs"]} == {first.id: "COMPLETED", second.id: "DEQUEUED"}
    with listening(server.url, "/realtime/v1/runs?tags=mine", last=missed.id) as listener:
        worker.emit(grants[second.id], metadata=[_set("n", 1)])
        [last] = listener.until(lambda heard: heard)
    assert [(run["id"], run["metadata"]) for run in last.data["runs"]] == [(second.id, {"n": 1})]


def test_a_batch_is_told_of_until_all_its_runs_have_ended(server: HttpServer, client: Detent, worker: Worker) -> None:
    batch = client.tasks.batch_trigger([{"payload": n} for n in range(3)], "plain")
    with listening(server.url, f"/realtime/v1/batches/{batch.id}") as listener:
        [present] = listener.until(lambda heard: heard)
        for grant in worker.claim():
            worker.finish(grant)
        heard = listener.to_the_end()
    assert (present.data["total"], present.data["counts"], present.data["is_finished"]) == (3, {"QUEUED": 3}, False)
    assert heard[-1].event == "end"
    assert heard[-1].data["counts"] == {"COMPLETED": 3}
    assert heard[-2].data["is_finished"] is True
    with listening(server.url, f"/realtime/v1/batches/{batch.id}") as late:
        state, end = late.to_the_end()
    assert [run["status"] for run in state.data["runs"]] == ["COMPLETED"] * 3
    assert end.event == "end"


def test_parts_of_a_stream_come_in_order_once_and_the_stream_ends_with_its_run(
    server: HttpServer, client: Detent, worker: Worker
) -> None:
    run = client.tasks.trigger("plain", 1)
    path = f"/realtime/v1/streams/{run.id}/tokens"
    [grant] = worker.claim()
    with listening(server.url, path) as listener:
        worker.emit(grant, writer=grant.epoch, streams=[_parts(0, "a", "b")])
        listener.until(lambda heard: len(heard) == 2)
        # Sent again, because the answer was lost, with one more.
        worker.emit(grant, writer=grant.epoch, streams=[_parts(0, "a", "b")])
        worker.emit(grant, writer=grant.epoch, streams=[_parts(1, "b", "c")])
        worker.finish(grant)
        heard = listener.to_the_end()
    assert [(event.id, event.data) for event in heard[:-1]] == [("1", "a"), ("2", "b"), ("3", "c")]
    assert heard[-1] == (f"{heard[-2].id}-end", "end", {"status": "COMPLETED", "closed": False})
    for event in heard[:-1]:
        with listening(server.url, path, last=event.id) as again:
            assert again.to_the_end() == heard[int(event.id) :]


def test_a_stream_that_is_closed_ends_before_its_run(server: HttpServer, client: Detent, worker: Worker) -> None:
    run = client.tasks.trigger("plain", 1)
    [grant] = worker.claim()
    with listening(server.url, f"/realtime/v1/streams/{run.id}/tokens") as listener:
        assert listener.is_open()
        worker.emit(grant, writer=grant.epoch, streams=[_parts(0, "a", closed=True)])
        live = listener.to_the_end()
    with listening(server.url, f"/realtime/v1/streams/{run.id}/tokens") as listener:
        assert listener.to_the_end() == live
    assert [event.data for event in live] == ["a", {"status": None, "closed": True}]


def test_a_stream_that_nobody_wrote_ends_with_its_run(server: HttpServer, client: Detent, worker: Worker) -> None:
    run = client.tasks.trigger("plain", 1)
    [grant] = worker.claim()
    with listening(server.url, f"/realtime/v1/streams/{run.id}/nothing") as listener:
        assert listener.is_open()
        worker.finish(grant)
        [end] = listener.to_the_end()
    assert end.data == {"status": "COMPLETED", "closed": False}


def test_a_reader_that_is_slow_reads_all_the_same_when_it_comes_round(
    project: Project, server: HttpServer, client: Detent, worker: Worker
) -> None:
    run = client.tasks.trigger("plain", 1)
    [grant] = worker.claim()
    slow = _Asleep(server.url, f"/realtime/v1/streams/{run.id}/tokens")
    slow.is_open()
    for number in range(600):
        worker.emit(grant, writer=grant.epoch, streams=[_parts(number, f"{number}:{'x' * 8_000}")])
    worker.finish(grant)
    slow.wake.set()
    heard = slow.to_the_end()
    assert [event.data.partition(":")[0] for event in heard[:-1]] == [str(number) for number in range(600)]


class _Asleep(Listener):
    """Reads nothing beyond the head of the answer until it is woken."""

    def __init__(self, *values: str) -> None:
        self.wake = threading.Event()
        super().__init__(*values)

    def _lines(self) -> Any:
        for number, line in enumerate(super()._lines()):
            if number == 0:
                self.wake.wait(30)
            yield line


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/realtime/v1/runs/run_nope", 404, "no run"),
        ("/realtime/v1/batches/batch_nope", 404, "no batch"),
        ("/realtime/v1/streams/run_nope/tokens", 404, "no run"),
        ("/realtime/v1/runs?status=LOST", 400, "LOST"),
        ("/realtime/v1/runs?created_at=soon", 400, "created_at"),
        ("/realtime/v1/runs?tag=mine", 400, "does not take 'tag'"),
        ("/realtime/v1/runs?last_event_id=1'x", 400, "last event id"),
    ],
)
def test_what_cannot_be_followed_is_refused_before_the_stream_begins(
    server: HttpServer, client: Detent, path: str, status: int, said: str
) -> None:
    with listening(server.url, path) as listener:
        listener.to_the_end()
    assert listener.status == status
    assert said in listener.body.decode()
    assert listener.headers["content-type"] == "application/problem+json"


def test_runs_of_another_environment_are_not_there(project: Project, server: HttpServer, worker: Worker) -> None:
    other = project.operations.in_env("prod")
    there = Detent(type(project.transport)(other))
    run = there.tasks.trigger("plain", 1, tags=["mine"])
    batch = there.tasks.batch_trigger([{"payload": 1}], "plain")
    paths = [f"runs/{run.id}", f"batches/{batch.id}", f"streams/{run.id}/tokens"]
    for path in paths:
        with listening(server.url, f"/realtime/v1/{path}") as listener:
            listener.to_the_end()
        assert listener.status == 404, path
    with listening(server.url, "/realtime/v1/runs?tags=mine") as listener:
        [present] = listener.until(lambda heard: heard)
        there.runs.cancel(run.id)
        Detent(project.transport).tasks.trigger("plain", 2, tags=["mine"])
        heard = listener.until(lambda heard: len(heard) == 2)
    assert present.data["runs"] == []
    assert run.id not in str(heard)


def test_a_browser_with_the_public_token_of_a_run_watches_that_run_and_nothing_else(
    server: HttpServer, client: Detent, worker: Worker
) -> None:
    transport = HttpTransport(server.url, KEY)
    run = Detent(transport).tasks.trigger("plain", 1, tags=["mine"])
    other = Detent(transport).tasks.trigger("plain", 1, tags=["mine"])
    transport.close()
    token = run.public_access_token
    [grant, *_] = [grant for grant in worker.claim() if grant.run_id == run.id]
    worker.emit(grant, writer=grant.epoch, streams=[_parts(0, "a")])
    worker.finish(grant)
    for path in (f"runs/{run.id}", f"streams/{run.id}/tokens"):
        with listening(server.url, f"/realtime/v1/{path}?token={token}", key=None) as listener:
            assert listener.to_the_end()[-1].event == "end"
    for path in (f"runs/{other.id}", f"streams/{other.id}/tokens", "runs?tags=mine", "runs?", "runs?tag=mine"):
        joint = "&" if "?" in path else "?"
        with listening(server.url, f"/realtime/v1/{path}{joint}token={token}", key=None) as listener:
            listener.to_the_end()
        assert listener.status == 403, path
    with listening(server.url, f"/realtime/v1/runs/{run.id}", key=None) as listener:
        listener.to_the_end()
    assert listener.status == 401


def test_a_list_that_is_far_behind_is_shown_the_present_instead(project: Project, client: Detent) -> None:
    run = client.tasks.trigger("plain", 1, tags=["mine"])
    feed = project.operations.streams.feed("realtime.runs", tags="mine")
    assert isinstance(feed, ListFeed)
    [frame], _ = feed.read((10**9, 0))
    assert [one[0] for one in frame.runs] == [run.id]
    assert b'"snapshot":true' in frame.data


def test_log_lines_wake_nobody(server: HttpServer, client: Detent, worker: Worker) -> None:
    run = client.tasks.trigger("plain", 1)
    [grant] = worker.claim()
    with listening(server.url, f"/realtime/v1/runs/{run.id}") as listener:
        listener.until(lambda heard: heard)
        worker.emit(grant, logs=[LogLine(1, "info", "hello", None, None, "logger")])
        worker.emit(grant, metadata=[_set("n", 1)])
        heard = listener.until(lambda heard: heard[-1].data["metadata"])
    assert len(heard) == 2


def test_a_value_is_sent_over_http_and_refused_once_the_run_has_ended(
    server: HttpServer, client: Detent, worker: Worker
) -> None:
    import httpx

    run = client.tasks.trigger("plain", 1)
    transport = HttpTransport(server.url, KEY)
    sent = Detent(transport).runs.send_input(run.id, "messages", {"text": "hello"})
    transport.close()
    assert (sent.run, sent.stream, sent.seq) == (run.id, "messages", 1)
    address = f"{server.url}/realtime/v1/streams/{run.id}/input/messages"
    headers = {"authorization": f"Bearer {KEY}"}
    again = [httpx.post(address, json={"value": 2, "by": "call_1"}, headers=headers).json() for _ in range(2)]
    assert [answer["seq"] for answer in again] == [2, 2]
    [grant] = worker.claim()
    worker.finish(grant)
    refused = httpx.post(address, json={"value": 3}, headers=headers)
    assert refused.status_code == 409
    assert "has ended (COMPLETED)" in refused.json()["detail"]
