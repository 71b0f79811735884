"""A run as its own code sees it, through the SDK."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, cast

from ..model.protocol import (
    CompleteToken,
    Grant,
    Handle,
    MakeToken,
    NewRun,
    Peek,
    Peeked,
    Record,
    RunResult,
    TokenMade,
    WaitResult,
)
from ..sdk.current import RetriedBlock, WaitFor, current_step
from .children import Children
from .moments import Moments
from .notes import Notes
from .questions import Questions
from .retried import Retried
from .run_context import run_context
from .steps import Steps

if TYPE_CHECKING:
    from ..model.transport import Transport
    from ..sdk.call import Call
    from ..sdk.context import Context
    from ..sdk.step_value import StepValue
    from ..sdk.task import Task
    from .calls import Calls
    from .frame import Frame
    from .journal import Journal
    from .reach import Reach
    from .worker import Worker

__all__ = ["Inside", "briefly"]

#: So much of a stream may wait to be sent before its writer waits for it, in characters of JSON.
_UNSENT_CHARS = 256 * 1024

#: One for all runs, as it is held for moments only. The garbage collector may call code of a run meanwhile.
briefly = threading.RLock()


class Inside:
    """The part of a `Frame` that implements `sdk.current.ActiveRun`."""

    __slots__ = ("_ctx", "_notebook", "unawaited")

    worker: Worker
    task: Task[Any, Any]
    grant: Grant
    run_id: str
    started_at: int
    journal: Journal
    calls: Calls
    reach: Reach
    #: Made when they are asked for.
    _ctx: Context | None
    _notebook: Notes | None
    #: Calls that were made and not awaited so far, in words.
    unawaited: dict[int, str] | None

    @property
    def _frame(self) -> Frame:
        return cast("Frame", self)  # nothing else is made of this part

    @property
    def ctx(self) -> Context:
        if self._ctx is None:
            self._ctx = run_context(self.worker, self.task, self.grant, self.started_at)
        return self._ctx

    @property
    def notebook(self) -> Notes:
        if self._notebook is None:
            with briefly:
                if self._notebook is None:
                    self._notebook = Notes(self.grant, self.reach, self.worker.now, self.worker.noted)
        return self._notebook

    def idempotency_scope(self, scope: str) -> str:
        return f"{self.run_id}/{self.grant.attempt}" if scope == "attempt" else self.run_id

    def trigger(
        self, runs: Sequence[NewRun], *, wait: bool, batch_id: str | None = None
    ) -> Coroutine[Any, Any, tuple[list[Handle], list[RunResult]]]:
        return Children(self._frame).trigger(runs, wait=wait, batch_id=batch_id)

    def trigger_sync(
        self, runs: Sequence[NewRun], *, wait: bool, batch_id: str | None = None
    ) -> tuple[list[Handle], list[RunResult]]:
        return Children(self._frame).trigger_sync(runs, wait=wait, batch_id=batch_id)

    def wait(self, wanted: WaitFor) -> Coroutine[Any, Any, WaitResult]:
        return Moments(self._frame).wait(wanted)

    def wait_sync(self, wanted: WaitFor) -> WaitResult:
        return Moments(self._frame).wait_sync(wanted)

    @property
    def transport(self) -> Transport:
        return Questions(self)

    async def make_token(self, request: MakeToken) -> TokenMade:
        answer = await self.calls.say(request)
        assert isinstance(answer, TokenMade)
        return answer

    def make_token_sync(self, request: MakeToken) -> TokenMade:
        answer = self.calls.say_sync(request)
        assert isinstance(answer, TokenMade)
        return answer

    async def complete_token(self, id: str, by: str, output: str) -> None:
        request = CompleteToken(id, by, output)
        if self.worker.large_texts.is_large(output):
            request = await asyncio.to_thread(self.worker.large_texts.completion, request)
        await self.calls.say(request)

    def complete_token_sync(self, id: str, by: str, output: str) -> None:
        self.calls.say_sync(self.worker.large_texts.completion(CompleteToken(id, by, output)))

    def step(
        self, name: str, call: Callable[[], Any], value: StepValue, *, kind: str = "step", threaded: bool = False
    ) -> Coroutine[Any, Any, Any]:
        return Steps(self._frame).step(name, call, value, kind=kind, threaded=threaded)

    def step_sync(self, name: str, call: Callable[[], Any], value: StepValue, *, kind: str = "step") -> Any:
        return Steps(self._frame).step_sync(name, call, value, kind=kind)

    def value(self, name: str, make: Callable[[], Any]) -> Any:
        return make() if current_step.get() is not None else Steps(self._frame).value(name, make)

    def retry_begun(self, name: str) -> RetriedBlock:
        return Retried(self._frame, name)

    def expects(self, kind: str, name: str) -> bool:
        return current_step.get() is None and self.journal.expects(kind, name)

    def skip(self, name: str) -> None:
        self._frame.check()
        self.journal.skip(name, ordered=self._frame.is_home())

    def now_ms(self) -> int:
        return self.worker.now()

    def called(self, call: Call[Any]) -> None:
        with briefly:
            if self.unawaited is None:
                self.unawaited = {}
            self.unawaited[call.number] = f"{call.what} at {call.place}"

    def awaited(self, call: Call[Any]) -> None:
        with briefly:
            if self.unawaited is not None:
                self.unawaited.pop(call.number, None)
                self.unawaited = self.unawaited or None

    # What it writes, unless it has written it before.

    def log(self, level: str, message: str, attributes: dict[str, Any] | None, source: str) -> None:
        if not self.journal.is_replaying():
            self.notebook.log(level, message, attributes, source)

    def span(self, name: str, kind: str, attributes: dict[str, Any]) -> AbstractContextManager[None]:
        return nullcontext() if self.journal.is_replaying() else self.notebook.span(name, kind, attributes)

    def change_metadata(self, target: str, op: str, key: str, value: Any) -> None:
        if not self.journal.is_replaying():
            self.notebook.change_metadata(target, op, key, value)

    def metadata(self) -> dict[str, Any]:
        return self.notebook.metadata()

    def add_tags(self, tags: list[str]) -> None:
        self.notebook.add_tags(tags)

    # Streams.

    def write_part(self, stream: str, text: str) -> bool:
        self._frame.check()
        if self.journal.is_replaying():
            return False
        return self.notebook.write_part(stream, text) > _UNSENT_CHARS

    def close_stream(self, stream: str) -> None:
        if not self.journal.is_replaying():
            self.notebook.close_stream(stream)

    async def flush(self) -> None:
        await self.calls.say(Record(self.run_id, self._frame.epoch))

    def flush_sync(self) -> None:
        self.calls.say_sync(Record(self.run_id, self._frame.epoch))

    async def peek(self, stream: str) -> str | None:
        answer = await self.calls.say(Peek(self.run_id, self._frame.epoch, stream))
        assert isinstance(answer, Peeked)
        return answer.value

    def peek_sync(self, stream: str) -> str | None:
        answer = self.calls.say_sync(Peek(self.run_id, self._frame.epoch, stream))
        assert isinstance(answer, Peeked)
        return answer.value
