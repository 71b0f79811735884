"""Clients inside a run: what they ask goes by the worker's connection, and delays nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from detent import AsyncDetent, Detent, runs, step, task
from detent.config import load_config
from detent.connection import default_transport
from detent.dev import LocalService
from detent.errors import NotFound
from detent.model.protocol import Answer, Ask, Done, Emit, Failure, Hello, LogLine, Told
from detent.server.engine_socket import EngineSocket
from detent.sync import runs as runs_sync
from detent.testing import Harness, harness
from detent.worker.link import SocketLink, ask
from detent.worker.questions import Questions

ALWAYS = Detent()


@task(id="questions/child")
async def child(n: int) -> int:
    return n


@task(id="questions/looks")
async def looks(other: str) -> dict[str, Any]:
    assert isinstance(default_transport(), Questions)
    client = AsyncDetent()
    listed = [run.task async for run in runs.list(limit=1)]
    made = await client.tasks.batch_trigger([{"task": "questions/child", "payload": n} for n in range(2)])
    await client.queues.pause("task/questions/looks-plain")
    canceled = await step("cancel", runs.cancel, other)
    with pytest.raises(NotFound, match="run_absent"):
        await runs.retrieve("run_absent")
    here = await client.runs.retrieve(made.runs[0].id)
    return {"listed": listed, "canceled": canceled, "batch": here.batch_id == made.id, "parent": here.parent_id}


@task(id="questions/looks-plain")
def looks_plain() -> dict[str, Any]:
    made = ALWAYS.tasks.trigger("questions/child", 1)
    assert ALWAYS.runs.retrieve(made.id).parent_id is not None
    return {"listed": sorted(run.task for run in runs_sync.list(limit=1)), "workers": Detent().health().workers}


@pytest.fixture
def h() -> Iterator[Harness]:
    with harness([child, looks, looks_plain]) as made:
        yield made


@pytest.mark.parametrize("replay", ["never", "always"])
def test_an_async_run_asks_by_the_connection_of_its_worker(replay: str) -> None:
    with harness([child, looks, looks_plain], replay=replay) as h:
        late = Detent().tasks.trigger("questions/child", 0, delay="1h")
        run = Detent().tasks.trigger("questions/looks", late.id)
        h.drain(advance=False)
        output = h.run(run).output
        assert output is not None, h.run(run).attempts
        assert output["canceled"] == "CANCELED"
        assert (output["batch"], output["parent"], len(output["listed"])) == (True, run.id, 2)
        assert next(queue for queue in Detent().queues.list() if queue.name == "task/questions/looks-plain").paused


def test_a_plain_run_asks_by_the_connection_of_its_worker(h: Harness) -> None:
    run = Detent().tasks.trigger("questions/looks-plain")

    assert h.output(run) == {"listed": ["questions/child", "questions/looks-plain"], "workers": 1}


class Place:
    """An engine behind a socket, and a worker that is connected to it."""

    def __init__(self, h: Harness, path: Path) -> None:
        self.h, self.path = h, path
        self.back = threading.Event()
        self.listen()
        self.link = SocketLink(str(path), lambda _cause: None)
        self.link.open(Hello("worker_asks", h.worker._manifest, 1, 1.0, "here"), lambda _push: None, self.back.set)

    def listen(self) -> None:
        self.socket = EngineSocket(self.h.engine, self.path, lambda _hello: None, lambda *_: None)
        self.socket.start()


@pytest.fixture
def place(h: Harness) -> Iterator[Place]:
    with TemporaryDirectory() as folder:
        made = Place(h, Path(folder) / "engine.sock")
        yield made
        made.link.close()
        made.socket.stop()


def question(operation: str, **values: Any) -> Ask:
    return Ask(operation, msgspec.Raw(msgspec.json.encode(values)))


def test_a_slow_answer_delays_no_other_verb(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setitem(place.h.operations._by_name, "health", lambda: {"slow": go_on.wait(20)})
    slow: list[Answer] = []
    arrived = threading.Event()
    line = LogLine(1, "info", "x", None, None, "logger")
    emit = Emit("run_1", 1, logs=[line])

    place.link.send([(emit, lambda _: None), (question("health"), lambda told: (slow.append(told), arrived.set())[0])])
    assert isinstance(ask(place.link, emit), Failure)
    assert isinstance(ask(place.link, question("tasks.list")), Told)
    assert slow == []
    go_on.set()

    assert arrived.wait(10)
    assert isinstance(slow[0], Told)
    assert msgspec.json.decode(slow[0].value) == {"slow": True}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (question("runs.retrieve", id="run_absent"), "not_found"),
        (question("runs.list", colour="red"), "invalid_options"),
        (question("nonsense"), "not_found"),
        (question("keys.create", name="x"), "forbidden"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_with_its_reason(place: Place, asked: Ask, code: str) -> None:
    answer = ask(place.link, asked)

    assert isinstance(answer, Failure)
    assert answer.code == code


def test_after_a_silence_only_what_may_be_asked_twice_is_asked_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def slow(**_values: Any) -> dict[str, Any]:
        begun.release()
        go_on.wait(20)
        return {}

    for name in ("tasks.list", "runs.resume"):
        monkeypatch.setitem(place.h.operations._by_name, name, slow)
    answers: dict[str, Answer] = {}
    arrived = threading.Semaphore(0)

    def take(name: str, answer: Answer) -> None:
        answers[name] = answer
        arrived.release()

    for name in ("tasks.list", "runs.resume"):
        values = {"id": "run_1"} if name == "runs.resume" else {}
        place.link.send([(question(name, **values), lambda answer, name=name: take(name, answer))])  # type: ignore[misc]
        assert begun.acquire(timeout=10)
    place.socket.stop()
    place.listen()
    go_on.set()

    assert place.back.wait(10)
    assert arrived.acquire(timeout=10)
    assert arrived.acquire(timeout=10)
    assert isinstance(answers["tasks.list"], Told)
    lost = answers["runs.resume"]
    assert isinstance(lost, Failure)
    assert (lost.code, "look whether it was done" in lost.message) == ("server_unreachable", True)


def test_the_other_verbs_still_share_frames(place: Place) -> None:
    done: list[Answer] = []
    arrived = threading.Event()
    emit = Emit("run_1", 1)

    place.link.send([(emit, done.append), (question("tasks.list"), done.append), (emit, lambda _: arrived.set())])

    assert arrived.wait(10)
    assert not any(isinstance(answer, Done) for answer in done)


IN_A_PROCESS = """
import os

from detent import runs, sync, task
from detent.config import load_config
from detent.connection import default_transport
from detent.dev import LocalService


@task(id="questions/process")
async def process() -> list[object]:
    os.environ["DETENT_API_URL"] = "http://127.0.0.1:9"  # nobody answers there
    return [[run.task async for run in runs.list()], type(default_transport()).__name__]


@task(id="questions/cell", isolation="process")
def cell() -> list[object]:
    os.environ["DETENT_API_URL"] = "http://127.0.0.1:9"
    return [[run.task for run in sync.runs.list(task="questions/cell")], type(default_transport()).__name__]
"""


def test_workers_and_cells_in_processes_of_their_own_ask_neither_the_api_nor_the_store(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "asking.py").write_text(IN_A_PROCESS)
    (tmp_path / "detent.toml").write_text('project = "asking"\ndirs = ["tasks"]\nport = 0\n')

    with LocalService(load_config(tmp_path, {})) as service:
        client = Detent(service.transport)
        outcomes = [
            client.runs.poll(client.tasks.trigger(name).id, timeout=60)
            for name in ("questions/process", "questions/cell")
        ]

    assert [outcome.output for outcome in outcomes] == [
        [["questions/process"], "Questions"],
        [["questions/cell"], "Questions"],
    ]
