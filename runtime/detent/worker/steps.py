"""Steps of a run: calls whose results are in its journal, so that they are not made again."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import AbortTaskRunError, DetentError, InsideStep, LimitExceeded, StepFailed, Unserializable, by_code
from ..model import json_text
from ..model.limits import OUTPUT_BYTES
from ..model.protocol import Entry, Record
from ..model.task_error import TaskError
from ..sdk.current import StepInfo, current_step
from ..sdk.step_value import StepValue
from .error_record import recorded
from .journal import Place
from .signals import RunSignal

if TYPE_CHECKING:
    from .frame import Frame

__all__ = ["Steps", "failure"]

#: Not to be wrapped: they say that another attempt would end the same way.
_AS_THEY_ARE = (AbortTaskRunError, InsideStep, Unserializable, LimitExceeded)
_CODES_AS_THEY_ARE = frozenset(kind.code for kind in _AS_THEY_ARE)

_encode = msgspec.json.Encoder().encode
_decode_error = msgspec.json.Decoder(TaskError).decode


class Steps:
    """The steps of one run."""

    __slots__ = ("_frame",)

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def step(
        self, name: str, call: Callable[[], Any], value: StepValue, *, kind: str = "step", threaded: bool = False
    ) -> Any:
        """See `sdk.current.ActiveRun.step`."""
        frame = self._frame
        at_home = asyncio.get_running_loop() is frame.worker.loop.loop
        place = frame.begin(kind, name, name if kind == "step" else "", ordered=at_home, waits=f"{kind} {name!r}")
        if place.entry is not None:
            if place.entry.status == "left" and frame.turns is not None:
                await frame.turns.give_up(place.entry)
            if place.entry.status != "left":
                await frame.told(place, at_home)
                if place.entry.value_ref is not None:
                    place.entry.value = await asyncio.to_thread(frame.worker.large_texts.get, place.entry.value_ref)
                return _replayed(kind, name, place.entry, value)
        await frame.make_sure()
        token = current_step.set(StepInfo(frame.run_id, place.key, kind))
        try:
            with self._span(name, kind):
                result = await asyncio.to_thread(call) if threaded else call()
                if inspect.isawaitable(result):
                    result = await result
            text = _checked(name, value.dump(result))
        except RunSignal:
            raise
        except asyncio.CancelledError:
            # Ended from inside, by a time-out for instance: so it ends when the run is executed again.
            if not (frame.lost or frame.stop or frame.worker.loop.stopping):
                frame.journal.add(place.made(status="left", done=frame.journal.next_order()))
            raise
        except BaseException as error:
            await frame.calls.say(self._record(place.made(status="error", error=_error_text(error))))
            await frame.told(place, at_home)
            raise failure(kind, name, error) from error
        finally:
            current_step.reset(token)
        entry = place.made(value=text)
        if frame.worker.large_texts.is_large(text):
            entry.value_ref = await asyncio.to_thread(frame.worker.large_texts.put, self._object(place), text)
            entry.value = None
        await frame.calls.say(self._record(entry))
        await frame.told(place, at_home)
        return value.load(text)

    def step_sync(self, name: str, call: Callable[[], Any], value: StepValue, *, kind: str = "step") -> Any:
        """See `sdk.current.ActiveRun.step_sync`."""
        frame = self._frame
        with frame.reach.inside():
            ordered = frame.reach.is_here()
            place = frame.begin(kind, name, name if kind == "step" else "", ordered=ordered, waits=f"{kind} {name!r}")
            if place.entry is not None and place.entry.status != "left":
                if place.entry.value_ref is not None:
                    place.entry.value = frame.worker.large_texts.get(place.entry.value_ref)
                return _replayed(kind, name, place.entry, value)
        frame.make_sure_sync()
        token = current_step.set(StepInfo(frame.run_id, place.key, kind))
        try:
            with self._span(name, kind):
                result = call()
            text = _checked(name, value.dump(result))
        except RunSignal:
            raise
        except BaseException as error:
            frame.calls.say_sync(self._record(place.made(status="error", error=_error_text(error))))
            raise failure(kind, name, error) from error
        finally:
            current_step.reset(token)
        with frame.reach.inside():
            entry = place.made(value=text)
            if frame.worker.large_texts.is_large(text):
                entry.value_ref = frame.worker.large_texts.put(self._object(place), text)
                entry.value = None
        frame.calls.say_sync(self._record(entry))
        return value.load(text)

    def value(self, name: str, make: Callable[[], Any]) -> Any:
        """See `sdk.current.ActiveRun.value`."""
        frame = self._frame
        place = frame.begin("value", name, name, ordered=frame.is_home())
        if place.entry is not None and place.entry.value is not None:
            return json_text.decode(place.entry.value)
        made = make()
        frame.journal.add(place.made(value=json_text.encode(made, name)))
        return made

    def _span(self, name: str, kind: str) -> AbstractContextManager[None]:
        return self._frame.span(name, kind, {}) if kind == "step" else nullcontext()

    def _record(self, entry: Entry) -> Record:
        return Record(self._frame.run_id, self._frame.epoch, [entry])

    def _object(self, place: Place) -> str:
        return f"runs/{self._frame.run_id}/journal/{place.seq}"


def _checked(name: str, text: str) -> str:
    if len(text) * 4 > OUTPUT_BYTES and (size := len(text.encode())) > OUTPUT_BYTES:
        raise LimitExceeded(
            f"step {name!r} returned {size:,} bytes of JSON; the limit is {OUTPUT_BYTES:,} (10 MiB). "
            "Put the data into an object store and return its address"
        )
    return text


def _error_text(error: BaseException) -> str:
    return _encode(recorded(error)).decode()


def failure(kind: str, name: str, error: BaseException) -> BaseException:
    """What the code of the run gets to see: the same now and when the step is replayed."""
    if isinstance(error, _AS_THEY_ARE) or (kind != "step" and isinstance(error, DetentError)):
        return error
    return StepFailed(name, recorded(error))


def _replayed(kind: str, name: str, entry: Entry, value: StepValue) -> Any:
    if entry.status == "error":
        error = _decode_error(entry.error or "{}")
        if error.code == AbortTaskRunError.code:
            raise AbortTaskRunError(error.message)
        if error.code and (kind != "step" or error.code in _CODES_AS_THEY_ARE):
            raise by_code(error.code, error.message)
        raise StepFailed(name, error)
    return value.load("null" if entry.value is None else entry.value)
