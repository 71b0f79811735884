"""The connection to an engine that goes away and comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from detent.model.protocol import Answer, Done, Emit, Failure, Finish, Hello, LogLine
from detent.server.engine_socket import EngineSocket
from detent.testing import Harness, harness
from detent.worker.link import SocketLink, ask


class Place:
    """An engine that listens on a socket which can be shut and opened again."""

    def __init__(self, h: Harness, path: Path) -> None:
        self.h, self.path = h, path
        self.socket = self.open()

    def open(self) -> EngineSocket:
        self.socket = EngineSocket(self.h.engine, self.path, lambda _hello: None, lambda *_: None)
        self.socket.start()
        return self.socket


@pytest.fixture
def place() -> Iterator[Place]:
    with TemporaryDirectory() as folder, harness([]) as h:
        made = Place(h, Path(folder) / "engine.sock")
        yield made
        made.socket.stop()


def connect(place: Place, back: threading.Event) -> SocketLink:
    link = SocketLink(str(place.path), lambda cause: None)
    manifest = place.h.worker._manifest
    link.open(Hello("worker_of_test", manifest, 1, 1.0, "here"), lambda push: None, back.set)
    return link


def unknown(run_id: str) -> Finish:
    return Finish(run_id, 1, "COMPLETED")


def test_what_is_asked_while_the_engine_is_away_is_answered_when_it_is_back(place: Place) -> None:
    back = threading.Event()
    link = connect(place, back)
    assert isinstance(ask(link, unknown("run_1")), Failure)
    place.socket.stop()
    answers: list[Answer] = []
    arrived = threading.Event()
    for n in range(50):
        link.send([(unknown(f"run_{n}"), answers.append)])
    link.send([(unknown("run_last"), lambda answer: (answers.append(answer), arrived.set())[0])])
    assert answers == []
    place.open()
    assert arrived.wait(10)
    assert back.wait(10)
    assert {answer.code for answer in answers if isinstance(answer, Failure)} == {"lease_lost"}
    assert len(answers) == 51
    link.close()


def test_a_request_that_cannot_be_written_fails_alone(place: Place) -> None:
    link = connect(place, threading.Event())
    answers: list[Answer] = []
    bad = Emit("run_1", 1, logs=[LogLine(1, "info", "\ud800", None, None, "logger")])
    arrived = threading.Event()
    link.send([(bad, answers.append), (unknown("run_2"), lambda answer: (answers.append(answer), arrived.set())[0])])
    assert arrived.wait(10)
    assert [getattr(answer, "code", Done) for answer in answers] == ["unserializable", "lease_lost"]
    link.close()
