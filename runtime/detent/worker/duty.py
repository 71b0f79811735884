"""A duty: the hooks of a run that ended without its code, run by a worker that never had the run, or has it no more."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ..errors import NotInRun
from ..model.protocol import DutyDone, Handle, NewRun, RunResult, WaitResult
from ..model.task_error import TaskError
from ..sdk.current import WaitFor
from ..sdk.step_value import StepValue
from .attempt import payload_text
from .frame import Frame
from .hook_calls import Call, end_hooks

__all__ = ["DutyFrame", "attend"]

_decode_error = msgspec.json.Decoder(TaskError).decode


class DutyFrame(Frame):
    """The frame of a duty: its run is over, so nothing in it can wait."""

    async def trigger(
        self, runs: Sequence[NewRun], *, wait: bool, batch_id: str | None = None
    ) -> tuple[list[Handle], list[RunResult]]:
        self._refuse(wait)
        return await super().trigger(runs, wait=wait, batch_id=batch_id)

    def trigger_sync(
        self, runs: Sequence[NewRun], *, wait: bool, batch_id: str | None = None
    ) -> tuple[list[Handle], list[RunResult]]:
        self._refuse(wait)
        return super().trigger_sync(runs, wait=wait, batch_id=batch_id)

    async def wait(self, wanted: WaitFor) -> WaitResult:
        self._refuse(True)
        return await super().wait(wanted)

    def wait_sync(self, wanted: WaitFor) -> WaitResult:
        self._refuse(True)
        return super().wait_sync(wanted)

    async def step(
        self,
        name: str,  # noqa: ARG002  # the journal is closed: the call is made, and made again where the hooks are
        call: Callable[[], Any],
        value: StepValue,
        *,
        kind: str = "step",  # noqa: ARG002  # likewise
        threaded: bool = False,
    ) -> Any:
        result = await asyncio.to_thread(call) if threaded else call()
        return value.load(value.dump(await result if inspect.isawaitable(result) else result))

    def step_sync(
        self,
        name: str,  # noqa: ARG002  # likewise
        call: Callable[[], Any],
        value: StepValue,
        *,
        kind: str = "step",  # noqa: ARG002  # likewise
    ) -> Any:
        return value.load(value.dump(call()))

    def value(self, name: str, make: Callable[[], Any]) -> Any:  # noqa: ARG002  # likewise
        return make()

    def _refuse(self, wait: bool) -> None:
        if wait:
            raise NotInRun(
                f"hooks of a run that has ended cannot wait, and run {self.run_id} is {self.grant.duty}; "
                "trigger without waiting"
            )


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
    await end_hooks(frame, call, grant.duty, record, payload=payload, reason=grant.reason)
    return None if frame.lost else DutyDone(frame.run_id, frame.epoch)
