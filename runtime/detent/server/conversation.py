"""What is said on one connection of a worker, whatever carries it: hello first, then frames in order."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

import msgspec
from msgspec.structs import replace

from ..engine import Engine, Session
from ..model.protocol import Answer, Ask, Done, Failure, FromEngine, Gone, Hello, Push, Request, ToEngine, Variables
from .own_objects import foreign_object

__all__ = ["Conversation", "OnExit"]

logger = logging.getLogger("detent.server")

#: Called with a worker's id, a cause in words, and whether it was asked to end.
OnExit = Callable[[str, str, bool], None]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ToEngine).decode


class Conversation:
    """One connection.

    Parameters:
      engine: answers.
      write: sends frames to the worker. Errors: `OSError` when it cannot.
      on_exit: called when the supervisor of a worker tells of its end.
      variables_of: what a worker of an environment is given before it imports its tasks.
      bound: the id of the only environment that this connection may speak of. None for a worker of this machine, which
        is believed.
    """

    def __init__(
        self,
        engine: Engine,
        write: Callable[[Sequence[bytes]], None],
        on_exit: OnExit,
        variables_of: Callable[[str], Variables],
        bound: str | None = None,
    ) -> None:
        self._engine = engine
        self._write = write
        self._on_exit = on_exit
        self._variables_of = variables_of
        self._bound = bound
        self._sending = threading.Lock()
        self._session: Session | None = None
        #: What the worker said of itself.
        self.hello: Hello | None = None

    def hear(self, bodies: Sequence[bytes]) -> None:
        """Take frames that came together, and answer them. Errors: `OSError`, `msgspec.DecodeError`, `DetentError`: the
        connection is to be closed."""
        frames = [_decode(body) for body in bodies]
        while frames and self._session is None:
            self._greet(frames.pop(0))
        if frames and self._session is not None:
            self._answer(self._session, frames)

    def end(self) -> None:
        """The connection has closed."""
        if self._session is not None:
            self._engine.disconnect(self._session)

    def _answer(self, session: Session, frames: Sequence[ToEngine]) -> None:
        """What came together shares a transaction, and its answers are sent together."""
        verbs: list[Request] = []
        counts: list[tuple[int, int]] = []
        for frame in frames:
            match frame.requests:
                case [Ask() as question]:
                    # What the run wrote before it asked is there when the answer is looked for.
                    self._settle(session, verbs, counts)
                    self._engine.ask(session, question, partial(self._tell, frame.id))
                case requests:
                    said = [self._held(request) for request in requests if not isinstance(request, Ask)]
                    if len(said) < len(requests):
                        raise ConnectionError("a question shares its frame")
                    refused = self._refused(said)
                    if refused is not None:
                        self._settle(session, verbs, counts)
                        self._send([FromEngine(frame.id, [refused] * len(said))])
                        continue
                    verbs += said
                    counts.append((frame.id, len(said)))
        self._settle(session, verbs, counts)

    def _settle(self, session: Session, verbs: list[Request], counts: list[tuple[int, int]]) -> None:
        if not counts:
            return
        answers = iter(self._engine.handle(session, verbs))
        self._send([FromEngine(number, list(islice(answers, count))) for number, count in counts])
        verbs.clear()
        counts.clear()

    def _tell(self, number: int, answer: Answer) -> None:
        try:
            self._send([FromEngine(number, [answer])])
        except OSError as error:
            logger.debug("an answer was lost: %s", error)

    def _greet(self, frame: ToEngine) -> None:
        if frame.variables_of is not None:
            env = self._bound or frame.variables_of or self._engine.env
            self._send([FromEngine(frame.id, variables=self._variables_of(env))])
            return
        first = frame.requests[0] if frame.requests else None
        if isinstance(first, Gone):
            self._send([FromEngine(frame.id, [self._gone(first)])])
            return
        if not isinstance(first, Hello):
            self._send([FromEngine(frame.id, [Failure("invalid_options", "a worker begins with hello")])])
            raise ConnectionError("no hello")
        hello = self._held(first)
        assert isinstance(hello, Hello)
        # The answer must be the first frame on the wire, whatever is pushed meanwhile.
        with self._sending:
            session, answer = self._engine.connect(hello, self._push)
            self.hello = hello
            self._session = session
            self._write([_encode(FromEngine(frame.id, [answer]))])

    def _held(self, request: Request) -> Request:
        """What a worker far away says of itself, held to its environment. Its process numbers mean nothing here."""
        if self._bound is None or not isinstance(request, Hello):
            return request
        name, _, rest = request.host.partition("/")
        return replace(request, env=self._bound, host=f"{name} (over HTTP)/{rest}")

    def _refused(self, requests: Sequence[Request]) -> Failure | None:
        if self._bound is None:
            return None
        return next(filter(None, (foreign_object(self._bound, request) for request in requests)), None)

    def _gone(self, told: Gone) -> Answer:
        if self._bound is not None:
            rows = self._engine.store.read("find_worker", id=told.worker_id)
            if not rows or rows[0]["env"] != self._bound:
                return Failure("not_found", f"no worker {told.worker_id!r} in this environment")
        self._on_exit(told.worker_id, told.cause, told.stopped)
        return Done()

    def _push(self, push: Push) -> None:
        try:
            self._send([FromEngine(push=push)])
        except OSError as error:
            logger.debug("a push was lost: %s", error)

    def _send(self, frames: Sequence[FromEngine]) -> None:
        bodies = [_encode(frame) for frame in frames]
        with self._sending:
            self._write(bodies)
