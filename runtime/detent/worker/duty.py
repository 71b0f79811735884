"""A duty: the hooks of a run that ended without its code, run by a worker that never had the run, or has it no more."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from ..errors import NotInRun
from ..model.protocol import DutyDone, Handle, NewRun, RunResult, WaitResult
from ..model.task_error import TaskError
from ..sdk.current import RetriedBlock, StepInfo, WaitFor, current_step, refuse_in_step
from ..sdk.step_value import StepValue
from .attempt import payload_text
from .frame import Frame
from .hook_calls import Call, end_hooks
from .link import Exchange
from .scope import enter_end
from .signals import RunSignal
from .steps import failure

__all__ = ["DutyFrame", "attend"]

_decode_error = msgspec.json.Decoder(TaskError).decode


class DutyFrame(Frame):
    """The frame of a duty. Its run is over and the journal closed: nothing in it can wait, and steps are made, and made
    again where the hooks are, under the same keys."""

    __slots__ = ()

    async def trigger(
        self, runs: Sequence[NewRun], *, wait: bool, batch_id: str | None = None
    ) -> tuple[list[Handle], list[RunResult]]:
        if wait:
            raise self._refusal()
        return await super().trigger(runs, wait=wait, batch_id=batch_id)

    def trigger_sync(
        self, runs: Sequence[NewRun], *, wait: bool, batch_id: str | None = None
    ) -> tuple[list[Handle], list[RunResult]]:
        if wait:
            raise self._refusal()
        return super().trigger_sync(runs, wait=wait, batch_id=batch_id)

    async def wait(self, wanted: WaitFor) -> WaitResult:  # noqa: ARG002  # whatever it is
        raise self._refusal()

    def wait_sync(self, wanted: WaitFor) -> WaitResult:  # noqa: ARG002  # likewise
        raise self._refusal()

    async def step(
        self, name: str, call: Callable[[], Any], value: StepValue, *, kind: str = "step", threaded: bool = False
    ) -> Any:
        with self._stepping(name, kind):
            result = await asyncio.to_thread(call) if threaded else call()
            return value.load(value.dump(await result if inspect.isawaitable(result) else result))

    def step_sync(self, name: str, call: Callable[[], Any], value: StepValue, *, kind: str = "step") -> Any:
        with self._stepping(name, kind):
            return value.load(value.dump(call()))

    def value(self, name: str, make: Callable[[], Any]) -> Any:  # noqa: ARG002  # there is nothing to keep it in
        return make()

    def retry_begun(self, name: str) -> RetriedBlock:  # noqa: ARG002  # likewise
        return _Unrecorded()

    def words(self) -> list[Exchange]:
        return [*self.notes()]

    @contextmanager
    def _stepping(self, name: str, kind: str) -> Iterator[None]:
        refuse_in_step(f"{kind} {name!r}")
        token = current_step.set(StepInfo(self.run_id, self.scope.next_key(name, ordered=self.is_home()), kind))
        try:
            yield
        except (RunSignal, asyncio.CancelledError):
            raise
        except BaseException as error:
            raise failure(kind, name, error) from error
        finally:
            current_step.reset(token)

    def _refusal(self) -> NotInRun:
        return NotInRun(
            f"hooks of a run that has ended cannot wait, and run {self.run_id} is {self.grant.duty}; "
            "trigger without waiting"
        )


class _Unrecorded:
    """Implements `sdk.current.RetriedBlock` where nothing is recorded any more."""

    recorded: str | None = None

    async def keep(self, value: Any) -> None: ...

    def keep_sync(self, value: Any) -> None: ...


async def attend(frame: Frame, call: Call) -> DutyDone | None:
    """Run the hooks. What is to be told to the engine; None when they are no longer ours to run."""
    grant = frame.grant
    payload: Any = None
    try:
        payload = frame.task.payload_schema.load(await payload_text(frame))
    except Exception as error:
        # The run may have ended before anybody looked at its payload.
        frame.log("warn", f"the hooks get no payload, as it cannot be loaded: {error}", None, "detent")
    record = TaskError("Unknown", "") if grant.error is None else _decode_error(grant.error)
    enter_end()
    await end_hooks(frame, call, grant.duty, record, payload=payload, reason=grant.reason)
    frame.tell_of_calls()
    return None if frame.lost else DutyDone(frame.run_id, frame.epoch)
