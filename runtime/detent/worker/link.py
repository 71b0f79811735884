"""The worker's one connection to the engine: requests go out, answers and pushes come in."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from ..engine import Engine, Session, failpoints
from ..errors import ServerUnreachable
from ..model.framing import FrameReader, send_frame
from ..model.http_api import ROUTES
from ..model.protocol import (
    Answer,
    Ask,
    Assign,
    Claimed,
    DutyDone,
    Failure,
    Finish,
    FromEngine,
    Hello,
    Park,
    Parked,
    Pause,
    Push,
    Release,
    Said,
    ToEngine,
    Trigger,
    Triggered,
    Wait,
    Welcome,
)

__all__ = ["DirectLink", "Exchange", "Link", "SocketLink", "ask", "hand_back", "ignore", "is_passing"]

logger = logging.getLogger("detent.worker")

OnAnswer = Callable[[Answer], None]
Exchange = tuple[Said, OnAnswer]

#: Requests that share a frame at the most.
_FRAME_REQUESTS = 512
#: How long a worker tries to reach an engine that went away before it gives up, in seconds: within the lease (C3).
RECONNECT_S = 30.0
#: How long the engine may take to answer a hello, in seconds.
_GREETING_S = 10.0


class Link(Protocol):
    """A connection to the engine."""

    def open(self, hello: Hello, on_push: Callable[[Push], None], on_back: Callable[[], None]) -> Welcome:
        """Say hello. `on_back`: called when the engine was away and is there again: what it pushed meanwhile is
        lost. Errors: `ServerUnreachable`."""
        ...

    def send(self, exchanges: Sequence[Exchange]) -> None:
        """Send requests together, in order. Each answer comes by its callback, on another thread or before this
        returns."""
        ...

    def hold(self, run_id: str, epoch: int) -> None:
        """A run is here by another way than a claim on this link; the engine is told so when the link is back."""
        ...

    def close(self) -> None: ...


def ask(link: Link, request: Said) -> Answer:
    """Send one request and wait for its answer, blocking."""
    answer: Future[Answer] = Future()
    link.send([(request, answer.set_result)])
    return answer.result()


def ignore(_answer: Answer) -> None:
    """Nothing is left to do: a run that was lost is unwound by its next verb."""


def hand_back(run_id: str, epoch: int) -> Exchange:
    """Gives one run back, which then begins again, while the worker goes on to claim others."""
    return Release([(run_id, epoch)], draining=False), ignore


class DirectLink:
    """An engine in the same process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._session: Session | None = None

    def open(
        self,
        hello: Hello,
        on_push: Callable[[Push], None],
        on_back: Callable[[], None],  # noqa: ARG002  # it is never away
    ) -> Welcome:
        self._session, answer = self._engine.connect(hello, on_push)
        return _welcomed(answer)

    def send(self, exchanges: Sequence[Exchange]) -> None:
        assert self._session is not None
        questions = [(request, on_answer) for request, on_answer in exchanges if isinstance(request, Ask)]
        verbs = [(request, on_answer) for request, on_answer in exchanges if not isinstance(request, Ask)]
        answers = self._engine.handle(self._session, [request for request, _ in verbs]) if verbs else []
        for (_, on_answer), answer in zip(verbs, answers, strict=True):
            on_answer(answer)
        for question, on_answer in questions:
            self._engine.ask(self._session, question, on_answer)

    def hold(self, run_id: str, epoch: int) -> None:
        """Nothing to keep: it is never away."""

    def close(self) -> None:
        if self._session is not None:
            self._engine.disconnect(self._session)


class SocketLink:
    """An engine behind a unix socket.

    Requests of several threads share frames: whoever finds nobody sending sends all that has gathered. When the
    engine goes away the link connects again under the same worker id and sends again what was not answered: every
    verb may be repeated (DESIGN.md invariant 6).

    Parameters:
      path: of the socket.
      on_lost: called when the engine stayed away for `RECONNECT_S`, or does not know the worker any more.
    """

    def __init__(self, path: str, on_lost: Callable[[str], None]) -> None:
        self._path = path
        self._on_lost = on_lost
        self._on_back: Callable[[], None] = _nothing
        self._socket: socket.socket | None = None
        self._outbox: deque[Exchange] = deque()
        self._sending = threading.Lock()
        self._unanswered: dict[int, list[Exchange]] = {}
        self._next_id = 1
        #: The runs that were granted and have neither ended nor parked since, with their epochs.
        self._holds: dict[str, int] = {}
        self._closed = threading.Event()
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(FromEngine).decode

    def open(self, hello: Hello, on_push: Callable[[Push], None], on_back: Callable[[], None]) -> Welcome:
        self._hello = hello
        self._on_back = on_back
        self._on_push = on_push
        try:
            reader, welcome = self._connect()
        except OSError as error:
            raise ServerUnreachable(
                f"no detent server answers at {self._path} ({error}); start one with `detent dev`"
            ) from None
        threading.Thread(target=self._receive, args=(reader,), name="detent-link", daemon=True).start()
        return welcome

    def send(self, exchanges: Sequence[Exchange]) -> None:
        self._outbox.extend(exchanges)
        while self._outbox and self._sending.acquire(blocking=False):
            try:
                self._flush()
            finally:
                self._sending.release()

    def hold(self, run_id: str, epoch: int) -> None:
        self._holds[run_id] = epoch

    def close(self) -> None:
        self._closed.set()
        connection = self._socket
        if connection is not None:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()

    def _flush(self) -> None:
        while self._outbox:
            frame: list[Exchange] = []
            while self._outbox and len(frame) < _FRAME_REQUESTS:
                is_question = isinstance(self._outbox[0][0], Ask)
                if is_question and frame:
                    break
                frame.append(self._outbox.popleft())
                if is_question:
                    break
            number = self._next_id
            self._next_id += 1
            self._unanswered[number] = frame
            self._send_frame(number, frame)

    def _given_up(self, number: int, frame: list[Exchange]) -> bool:
        """A question that may not be asked twice is told that nobody knows what became of it."""
        request, on_answer = frame[0]
        if not isinstance(request, Ask):
            return False
        route = ROUTES.get(request.operation)
        if route is None or route.method == "GET" or route.repeatable:
            return False
        del self._unanswered[number]
        lost = f"the engine went away during {request.operation}; look whether it was done, and ask again"
        self._answer(on_answer, Failure("server_unreachable", lost))
        return True

    def _send_frame(self, number: int, frame: list[Exchange]) -> None:
        connection = self._socket
        if connection is None:
            return  # sent again once the connection is back
        body = self._body(number, frame)
        if failpoints.armed is not None:
            failpoints.armed.sending([request for request, _ in frame])
        try:
            send_frame(connection, body)
        except OSError:
            self._drop(connection)

    def _body(self, number: int, frame: list[Exchange]) -> bytes:
        try:
            return self._encode(ToEngine(number, [request for request, _ in frame]))
        except (TypeError, ValueError, RecursionError, OverflowError):
            pass
        # One that cannot be written fails alone; those of other runs share the frame.
        good: list[Exchange] = []
        for request, on_answer in frame:
            try:
                self._encode(request)
            except (TypeError, ValueError, RecursionError, OverflowError) as error:
                failure = Failure("unserializable", f"{type(request).__name__} cannot be sent: {error}")
                self._answer(on_answer, failure)
            else:
                good.append((request, on_answer))
        frame[:] = good
        return self._encode(ToEngine(number, [request for request, _ in good]))

    @staticmethod
    def _answer(on_answer: OnAnswer, answer: Answer) -> None:
        try:
            on_answer(answer)
        except Exception:
            logger.exception("a worker failed to take an answer")

    def _drop(self, connection: socket.socket) -> None:
        """The receiving thread sees the end of the stream, and connects again."""
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _connect(self) -> tuple[FrameReader, Welcome]:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(_GREETING_S)
            connection.connect(self._path)
            if failpoints.armed is not None:
                failpoints.armed.sending([self._hello])
            send_frame(connection, self._encode(ToEngine(0, [self._hello])))
            reader = FrameReader(connection)
            body = reader.read()
            if body is None:
                raise ConnectionError("the engine closed the connection")
            answer = self._decode(body).answers[0]
            if failpoints.armed is not None:
                failpoints.armed.answered(self._hello, answer)
            welcome = _welcomed(answer)
            connection.settimeout(None)
        except BaseException:
            connection.close()
            raise
        self._socket = connection
        return reader, welcome

    def _receive(self, reader: FrameReader) -> None:
        while not self._closed.is_set():
            try:
                while (body := reader.read()) is not None:
                    self._take(self._decode(body))
            except OSError:
                pass
            except msgspec.DecodeError:
                logger.exception("the engine said what this worker does not understand; it connects again")
            if self._closed.is_set():
                return
            again = self._reconnect()
            if again is None:
                return
            reader = again

    def _take(self, frame: FromEngine) -> None:
        if frame.push is not None:
            try:
                self._on_push(frame.push)
            except Exception:
                logger.exception("a worker failed to take what the engine told it")
            return
        exchanges = self._unanswered.pop(frame.reply_to, None)
        if exchanges is None:
            return
        for (request, on_answer), answer in zip(exchanges, frame.answers, strict=True):
            if failpoints.armed is not None:
                failpoints.armed.answered(request, answer)
            self._keep_count(request, answer)
            self._answer(on_answer, answer)

    def _keep_count(self, request: Said, answer: Answer) -> None:
        match request:
            case (
                Finish(run_id=run_id, epoch=epoch)
                | Pause(run_id=run_id, epoch=epoch)
                | DutyDone(run_id=run_id, epoch=epoch)
            ) if not is_passing(answer):
                self._let_go(run_id, epoch)
            case Assign(run_id=run_id, epoch=epoch) if not isinstance(answer, Failure):
                self._let_go(run_id, epoch)
            case (
                Trigger(run_id=run_id, epoch=epoch)
                | Wait(run_id=run_id, epoch=epoch)
                | Park(run_id=run_id, epoch=epoch)
            ) if isinstance(answer, Triggered | Parked) and answer.parked:
                self._let_go(run_id, epoch)
            case Release(runs=runs, evicted=evicted):
                for run_id, epoch in (*runs, *evicted):
                    self._let_go(run_id, epoch)
        if isinstance(answer, Claimed):
            self._holds.update((grant.run_id, grant.epoch) for grant in answer.grants)

    def _let_go(self, run_id: str, epoch: int) -> None:
        if self._holds.get(run_id) == epoch:
            del self._holds[run_id]

    def _reconnect(self) -> FrameReader | None:
        with self._sending:
            connection, self._socket = self._socket, None
            if connection is not None:
                connection.close()
        deadline = time.monotonic() + RECONNECT_S
        pause = 0.02
        while not self._closed.is_set():
            try:
                with self._sending:
                    self._hello = replace(self._hello, again=True, holds=list(self._holds.items()))
                    reader, welcome = self._connect()
                    for number, frame in sorted(self._unanswered.items()):
                        if not self._given_up(number, frame):
                            self._send_frame(number, frame)
            except (OSError, msgspec.DecodeError):
                if time.monotonic() > deadline:
                    self._on_lost(f"the engine at {self._path} did not come back within {RECONNECT_S:g} s")
                    return None
                self._closed.wait(pause)
                pause = min(1.0, pause * 2)
            except ServerUnreachable as error:
                self._on_lost(str(error))
                return None
            else:
                # What gathered meanwhile found nobody who would send it.
                self.send([])
                for push in welcome.pushes:
                    self._on_push(push)
                self._on_back()
                return reader
        return None


def _nothing() -> None:
    """Before the first connection there is nothing to come back to."""


def is_passing(answer: Answer) -> bool:
    """Whether the request was refused for a while only, as when a disk is full: it will be sent again."""
    return isinstance(answer, Failure) and answer.code in ("store_error", "engine_error")


def _welcomed(answer: Any) -> Welcome:
    if isinstance(answer, Failure):
        raise ServerUnreachable(f"the engine did not take this worker: {answer.message}")
    assert isinstance(answer, Welcome)
    return answer
