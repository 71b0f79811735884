"""The run that the calling code belongs to. The worker gives it; the rest of the SDK only knows this shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import InsideStep, NotInRun
from ..model.protocol import Handle, MakeToken, NewRun, RunResult, TokenMade, WaitResult

if TYPE_CHECKING:
    from ..model.transport import Transport
    from .call import Call
    from .context import Context
    from .step_value import StepValue

__all__ = [
    "ActiveRun",
    "RetriedBlock",
    "StepInfo",
    "WaitFor",
    "active_run",
    "current_run",
    "current_step",
    "refuse_in_step",
    "step_info",
]


@dataclass(frozen=True, slots=True)
class WaitFor:
    """A durable wait: for a moment (`kind` ``time``) or for the token `target` (``token``).

    `what`: the call, for errors. `name`: of its journal entries. `for_ms`, `until`: how long, in milliseconds.
    """

    kind: str
    name: str
    what: str
    target: str = ""
    for_ms: int | None = None
    until: int | None = None
    tags: Sequence[str] = ()
    idempotency_key: str | None = None
    idempotency_ttl_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StepInfo:
    """The step that is being executed: its run, its key in the journal, and the kind of its entry."""

    run_id: str
    key: str
    kind: str = "step"

    @property
    def idempotency_key(self) -> str:
        """Stable over crashes, attempts and replays of the run."""
        return sha256(f"{self.run_id}\0{self.key}".encode()).hexdigest()[:32]


class RetriedBlock(Protocol):
    """A block under ``retry``, whose result is recorded when it is plain data and nothing else was recorded in it."""

    #: JSON text of the result of the first time, or None.
    recorded: str | None

    async def keep(self, value: Any) -> None: ...

    def keep_sync(self, value: Any) -> None: ...


class ActiveRun(Protocol):
    """A run that is executing in this process."""

    @property
    def run_id(self) -> str: ...

    @property
    def ctx(self) -> Context: ...

    def idempotency_scope(self, scope: str) -> str:
        """The prefix of an idempotency key for ``run`` or ``attempt``."""
        ...

    async def trigger(
        self, runs: Sequence[NewRun], *, wait: bool, batch_id: str | None = None
    ) -> tuple[list[Handle], list[RunResult]]:
        """Start runs under the next journal key; with `wait` their results, in order. A batch gets, in the place of
        `batch_id`, an id that is the same when the run is executed again; `runs` say it."""
        ...

    def trigger_sync(
        self, runs: Sequence[NewRun], *, wait: bool, batch_id: str | None = None
    ) -> tuple[list[Handle], list[RunResult]]: ...

    def now_ms(self) -> int:
        """The time by the clock of the run, in milliseconds since 1970."""
        ...

    async def wait(self, wanted: WaitFor) -> WaitResult:
        """Wait durably; the run gives its slot back meanwhile."""
        ...

    def wait_sync(self, wanted: WaitFor) -> WaitResult: ...

    @property
    def transport(self) -> Transport:
        """How clients inside the run reach the engine."""
        ...

    async def make_token(self, request: MakeToken) -> TokenMade:
        """Make a token. Errors: `InvalidOptions`."""
        ...

    def make_token_sync(self, request: MakeToken) -> TokenMade: ...

    async def complete_token(self, id: str, by: str, output: str) -> None:
        """Complete a token with JSON text. Errors: `NotFound`, `Conflict`, `LimitExceeded`."""
        ...

    def complete_token_sync(self, id: str, by: str, output: str) -> None: ...

    def expects(self, kind: str, name: str) -> bool:
        """Whether the journal has an entry of `kind` under `name` at this very place."""
        ...

    def skip(self, name: str) -> None:
        """Something under `name` is not recorded; what comes next under it has a number of its own all the same."""
        ...

    async def step(
        self, name: str, call: Callable[[], Any], value: StepValue, *, kind: str = "step", threaded: bool = False
    ) -> Any:
        """Make a call whose result is recorded, or give what is recorded. `threaded`: beside the event loop."""
        ...

    def step_sync(self, name: str, call: Callable[[], Any], value: StepValue, *, kind: str = "step") -> Any: ...

    def retry_begun(self, name: str) -> RetriedBlock:
        """A retried block begins: what is recorded of it, and how to record it."""
        ...

    def value(self, name: str, make: Callable[[], Any]) -> Any:
        """A JSON value that is made once, and recorded with the next word to the engine."""
        ...

    def called(self, call: Call[Any]) -> None:
        """Something to be awaited was made; it is missed at the end of the run unless `awaited` is said of it."""
        ...

    def awaited(self, call: Call[Any]) -> None: ...

    def log(self, level: str, message: str, attributes: dict[str, Any] | None, source: str) -> None: ...

    def span(self, name: str, kind: str, attributes: dict[str, Any]) -> AbstractContextManager[None]: ...

    def change_metadata(self, target: str, op: str, key: str, value: Any) -> None: ...

    def metadata(self) -> dict[str, Any]: ...

    def add_tags(self, tags: list[str]) -> None: ...

    def write_part(self, stream: str, text: str) -> bool:
        """Append JSON text to a stream; whether so much waits to be sent that the writer should `flush`."""
        ...

    def close_stream(self, stream: str) -> None: ...

    async def flush(self) -> None:
        """Until all that was written so far is durable."""
        ...

    def flush_sync(self) -> None: ...

    async def peek(self, stream: str) -> str | None:
        """The next value that was sent to the run under this name, JSON text, which stays where it is."""
        ...

    def peek_sync(self, stream: str) -> str | None: ...


current_run: ContextVar[ActiveRun | None] = ContextVar("detent_current_run", default=None)


current_step: ContextVar[StepInfo | None] = ContextVar("detent_current_step", default=None)


def step_info(what: str) -> StepInfo:
    """The step of the calling code. Errors: `NotInRun`, with `what` was called."""
    info = current_step.get()
    if info is None:
        raise NotInRun(f"{what} works only inside a step: step(name, fn)")
    return info


def refuse_in_step(what: str) -> None:
    """Errors: `InsideStep` when the caller is inside a step, where `what` cannot be done."""
    info = current_step.get()
    if info is not None:
        raise InsideStep(
            f"{what} is not possible inside the step {info.key!r}, one call that is made as a whole or again; "
            "return from the step first, and do this after it"
        )


def active_run(what: str) -> ActiveRun:
    """The run of the calling code. Errors: `NotInRun`, with `what` was called."""
    run = current_run.get()
    if run is None:
        raise NotInRun(f"{what} works only inside a running task")
    return run
