"""The clients inside a run: what they ask goes by the connection that the worker has to the engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import InvalidOptions
from ..model.protocol import Answer, Ask, Handle, NewRun, Told
from ..model.transport import FeedEvent

if TYPE_CHECKING:
    from .inside import Inside

__all__ = ["Questions"]

#: How often a feed is looked at, in seconds.
_LOOK_S = 0.1

_encode = msgspec.json.Encoder().encode


class Questions:
    """The transport of one run. Nothing that is asked is recorded: executed again, the run asks again. Runs that are
    started are its children, and are recorded as such."""

    __slots__ = ("_run",)

    def __init__(self, run: Inside) -> None:
        self._run = run

    def __repr__(self) -> str:
        return f"<the connection of run {self._run.run_id}>"

    def trigger(self, runs: Sequence[NewRun], batch_id: str | None = None) -> list[Handle]:
        """See `Transport.trigger`."""
        return self._run.trigger_sync(runs, wait=False, batch_id=batch_id)[0]

    async def trigger_async(self, runs: Sequence[NewRun], batch_id: str | None = None) -> list[Handle]:
        """See `Transport.trigger_async`."""
        return (await self._run.trigger(runs, wait=False, batch_id=batch_id))[0]

    def call(self, operation: str, **values: Any) -> Any:
        """See `Transport.call`."""
        return _value(self._run.calls.say_sync(_question(operation, values)))

    async def call_async(self, operation: str, **values: Any) -> Any:
        """See `Transport.call_async`."""
        return _value(await self._run.calls.say(_question(operation, values)))

    def wait(self, run_id: str, most_s: float) -> None:  # noqa: ARG002  # nobody tells this side when it ends
        """See `Transport.wait`."""
        time.sleep(most_s)

    async def wait_async(self, run_id: str, most_s: float) -> None:  # noqa: ARG002  # likewise
        """See `Transport.wait`."""
        await asyncio.sleep(most_s)

    def follow(self, operation: str, values: Mapping[str, Any], after: str | None) -> Iterator[FeedEvent]:
        """See `Transport.follow`: the feed is looked at again and again."""
        ended = False
        while not ended:
            seen = self.call(operation, **values, last_event_id=after)
            ended = seen["ended"]
            for event in map(_event, seen["events"]):
                after = event.id
                if event.data is not None:
                    yield event
            if not seen["more"] and not ended:
                time.sleep(_LOOK_S)

    async def follow_async(
        self, operation: str, values: Mapping[str, Any], after: str | None
    ) -> AsyncIterator[FeedEvent]:
        """See `Transport.follow`."""
        ended = False
        while not ended:
            seen = await self.call_async(operation, **values, last_event_id=after)
            ended = seen["ended"]
            for event in map(_event, seen["events"]):
                after = event.id
                if event.data is not None:
                    yield event
            if not seen["more"] and not ended:
                await asyncio.sleep(_LOOK_S)

    def put_bundle(self, digest: str, path: Path) -> None:  # noqa: ARG002  # as all transports have it
        """Bundles are for those who deploy. Errors: `InvalidOptions`."""
        raise InvalidOptions(_NO_BUNDLES)

    def get_bundle(self, digest: str, path: Path) -> None:  # noqa: ARG002  # likewise
        """Bundles are for those who deploy. Errors: `InvalidOptions`."""
        raise InvalidOptions(_NO_BUNDLES)

    def close(self) -> None:
        """Nothing: the connection is the worker's."""


_NO_BUNDLES = "bundles cannot be moved from inside a run; use Detent(api_url=..., secret_key=...) there"


def _question(operation: str, values: dict[str, Any]) -> Ask:
    return Ask(operation, msgspec.Raw(_encode(values)))


def _event(told: dict[str, Any]) -> FeedEvent:
    return FeedEvent(**told)


def _value(answer: Answer) -> Any:
    assert isinstance(answer, Told)
    return msgspec.json.decode(answer.value)
