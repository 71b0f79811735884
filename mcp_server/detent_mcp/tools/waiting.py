"""Waiting for runs."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

from detent.model.status import FINAL, Status

from ..call import Call
from ..next_calls import next_call
from ..refusals import Refusal
from ..results import row, took
from ..tool import tool
from ..untrusted import mark, shown, shown_text

__all__ = ["wait_for_run_to_complete"]

#: Seconds: less than after which most clients give up a call, and the longest that may be asked for.
_DEFAULT_S, _LONGEST_S = 45, 3_600
#: Between two words on how far it is, in seconds.
_TELL_S = 3.0
#: How long the server may be away, in seconds: one that starts anew is back before.
_AWAY_S = 5.0
_MOST_RUNS = 50
#: Characters of all outputs together, and of one at least.
_OUTPUTS, _LEAST_OUTPUT = 12_000, 300
_ERROR = 600
_FINAL = frozenset(status.value for status in FINAL)


class _Watch:
    """Runs that are followed, as they were last told."""

    def __init__(self, call: Call, runs: list[str]) -> None:
        self.states: dict[str, dict[str, Any]] = {}
        self._runs = runs
        self._call = call
        self._changed = asyncio.Event()
        self._following: list[asyncio.Task[None]] = []

    async def until_ended(self, most_s: float) -> None:
        """Come back when all have ended or cannot go on, at the latest after `most_s` seconds. Errors: `NotFound`."""
        began = time.monotonic()
        self._following = [asyncio.create_task(self._follow(run)) for run in self._runs]
        try:
            while not self._is_over and (left := began + most_s - time.monotonic()) > 0:
                self._changed.clear()
                try:
                    async with asyncio.timeout(min(left, _TELL_S)):
                        await self._changed.wait()
                except TimeoutError:
                    pass
                await self._call.progress(round(min(time.monotonic() - began, most_s), 1), most_s, self._words)
                self._raise_what_failed()
        finally:
            for task in self._following:
                task.cancel()
            await asyncio.gather(*self._following, return_exceptions=True)

    @property
    def _is_over(self) -> bool:
        return all(_stands_still(self.states.get(run)) for run in self._runs)

    @property
    def _words(self) -> str:
        open_ones = [run for run in self._runs if not _stands_still(self.states.get(run))]
        ended = f"{len(self._runs) - len(open_ones)} of {len(self._runs)} ended"
        status = self.states.get(open_ones[0], {}).get("status") if open_ones else None
        return ended if status is None else f"{ended}; {open_ones[0]} is {status}"

    async def _follow(self, run: str) -> None:
        try:
            feed = self._call.link.transport.follow_async("realtime.run", {"id": run}, None, _AWAY_S)
            async for event in feed:
                if event.event != "end":
                    self.states[run] = event.data
                    self._changed.set()
        finally:
            self._changed.set()

    def _raise_what_failed(self) -> None:
        for task in self._following:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error


@tool(
    "wait_for_run_to_complete",
    "Wait until runs have ended, and return output or error. Use when the user wants the outcome. After timeout "
    "seconds: the state; call it again.",
    title="Wait for runs",
    needs="runs:read",
)
async def wait_for_run_to_complete(
    call: Call,
    *,
    runs: Annotated[list[str], "ids"],
    timeout: Annotated[int, "seconds, default 45"] = _DEFAULT_S,  # noqa: ASYNC109  # the name of the argument
) -> dict[str, Any]:
    wanted = list(dict.fromkeys(runs))
    if not 1 <= len(wanted) <= _MOST_RUNS:
        raise Refusal(f"runs must be 1 to {_MOST_RUNS} ids, got {len(wanted)}", code="invalid_arguments")
    if not 1 <= timeout <= _LONGEST_S:
        raise Refusal(f"timeout must be 1 to {_LONGEST_S} seconds, got {timeout}", code="invalid_arguments")
    watch = _Watch(call, wanted)
    await watch.until_ended(timeout)
    most = max(_OUTPUTS // len(wanted), _LEAST_OUTPUT)
    rows = [_ended(run, watch.states.get(run), most) for run in wanted]
    result: dict[str, Any] = {"environment": call.where.environment, "runs": rows}
    ended = sum(each["status"] in _FINAL for each in rows)
    result["ended"] = f"{ended} of {len(rows)}"
    result["next"] = _next(call, rows, timeout)
    return mark(result, "output", "error")


def _stands_still(state: dict[str, Any] | None) -> bool:
    """Whether a run has ended, or goes on only when somebody says so."""
    return state is not None and (state["status"] in _FINAL or bool(state.get("paused")))


def _ended(run: str, state: dict[str, Any] | None, most: int) -> dict[str, Any]:
    if state is None:
        return {"id": run, "status": "UNKNOWN"}
    told = row(
        id=run,
        task=state["task"],
        status=state["status"],
        took=took(state.get("duration_ms")),
        attempt=state["attempt"] if state.get("attempt", 1) > 1 else None,
        paused=shown(state["paused"], _ERROR) if state.get("paused") else None,
    )
    error = state.get("error")
    if error is not None:
        told["error"] = shown_text(f"{error['type']}: {error['message']}", _ERROR)
    if state.get("output_is_large"):
        told["output"] = f"over 128 KiB; get_run_details(run={run!r}, part='output') reads it"
    elif state["status"] == Status.COMPLETED.value:
        told["output"] = shown(state.get("output"), most)
    return told


def _next(call: Call, rows: list[dict[str, Any]], timeout: int) -> str:
    open_ones = [each["id"] for each in rows if each["status"] not in _FINAL and "paused" not in each]
    if open_ones:
        again = next_call(call, "wait_for_run_to_complete", runs=open_ones)
        why = next_call(call, "diagnose_run", run=open_ones[0])
        waiting = next((each for each in rows if each["status"] == Status.WAITING.value), None)
        hint = f"{next_call(call, 'list_waitpoints')} shows what people complete; " if waiting is not None else ""
        return f"not ended after {timeout} s: {again}; {hint}{why} tells why it takes long"
    stopped = next((each["id"] for each in rows if each["status"] != Status.COMPLETED.value), None)
    if stopped is not None:
        return f"{next_call(call, 'diagnose_run', run=stopped)} tells why"
    return "done"
