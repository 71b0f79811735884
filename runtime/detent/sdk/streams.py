"""`streams`: text or JSON that a run writes while it runs, for whoever follows it, and values that are sent to it."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from ..errors import InvalidOptions, LimitExceeded
from ..model.limits import NAME_CHARS, STREAM_PART_BYTES
from ..model.plain_text import refuse_nul
from .call import Call
from .current import active_run
from .inputs import BlockingInput, Input
from .step_value import ANY_VALUE, StepValue

if TYPE_CHECKING:
    from ..model.stream_views import StreamInfo, StreamPart

__all__ = ["BlockingStream", "BlockingStreams", "Stream", "Streams", "streams"]

T = TypeVar("T")


class Stream(Generic[T]):
    """A stream by its name and the type of its parts; see `Streams.define`."""

    def __init__(self, name: str, type: Any = Any) -> None:
        self.name = checked_name(name)
        self._value = ANY_VALUE if type is Any else StepValue(type)

    def append(self, part: T) -> Call[None]:
        """See `Streams.append`."""
        what = "streams.append()"

        async def call() -> None:
            run = active_run(what)
            if run.write_part(self.name, self._text(part)):
                await run.flush()

        return Call(what, call)

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[StreamWriter[T]]:
        """See `Streams.writer`."""
        run = active_run("streams.writer()")
        yield StreamWriter(self)
        run.close_stream(self.name)
        await run.flush()

    async def pipe(self, source: AsyncIterable[T] | Iterable[T]) -> AsyncIterator[T]:
        """See `Streams.pipe`."""
        active_run("streams.pipe()")
        if isinstance(source, AsyncIterable):
            async for part in source:
                await self.append(part)
                yield part
        else:
            for part in source:
                await self.append(part)
                yield part

    def read(self, run_id: str, *, after: str | None = None) -> AsyncIterator[T]:
        """See `Streams.read`."""
        from ..client import AsyncDetent

        return self._typed(AsyncDetent().streams.read(run_id, self.name, after=after))

    async def _typed(self, parts: AsyncIterator[Any]) -> AsyncIterator[T]:
        async for part in parts:
            yield self._value.load(_plain_text(part)) if self._value is not ANY_VALUE else part

    def _text(self, part: T) -> str:
        text = self._value.dump(part)
        if len(text) * 4 > STREAM_PART_BYTES and (size := len(text.encode())) > STREAM_PART_BYTES:
            raise LimitExceeded(
                f"a part of stream {self.name!r} is {size:,} bytes of JSON; the limit is {STREAM_PART_BYTES:,} "
                "(256 KiB). Write smaller parts, or put the data into an object store and write its address"
            )
        return text


class StreamWriter(Generic[T]):
    """Writes into one stream, which is closed at the end of the block that it belongs to."""

    def __init__(self, stream: Stream[T]) -> None:
        self._stream = stream

    def write(self, part: T) -> Call[None]:
        """Append a part."""
        return self._stream.append(part)


class BlockingStream(Generic[T]):
    """The twin of `Stream` for plain functions: ``from detent.sync import streams``."""

    def __init__(self, name: str, type: Any = Any) -> None:
        self._stream: Stream[T] = Stream(name, type)
        self.name = self._stream.name

    def append(self, part: T) -> None:
        """See `Streams.append`."""
        run = active_run("sync.streams.append()")
        if run.write_part(self.name, self._stream._text(part)):
            run.flush_sync()

    @contextmanager
    def writer(self) -> Iterator[BlockingWriter[T]]:
        """See `Streams.writer`."""
        run = active_run("sync.streams.writer()")
        yield BlockingWriter(self)
        run.close_stream(self.name)
        run.flush_sync()

    def pipe(self, source: Iterable[T]) -> Iterator[T]:
        """See `Streams.pipe`."""
        active_run("sync.streams.pipe()")
        for part in source:
            self.append(part)
            yield part

    def read(self, run_id: str, *, after: str | None = None) -> Iterator[T]:
        """See `Streams.read`."""
        from ..client import Detent

        for part in Detent().streams.read(run_id, self.name, after=after):
            yield self._stream._value.load(_plain_text(part)) if self._stream._value is not ANY_VALUE else part


class BlockingWriter(Generic[T]):
    """The twin of `StreamWriter`."""

    def __init__(self, stream: BlockingStream[T]) -> None:
        self._stream = stream

    def write(self, part: T) -> None:
        """Append a part."""
        self._stream.append(part)


class BlockingStreams:
    """The twin of `Streams` for plain functions."""

    def append(self, stream: str, part: Any) -> None:
        """See `Streams.append`."""
        BlockingStream[Any](stream).append(part)

    def writer(self, stream: str) -> AbstractContextManager[BlockingWriter[Any]]:
        """See `Streams.writer`."""
        return BlockingStream[Any](stream).writer()

    def pipe(self, stream: str, source: Iterable[T]) -> Iterator[T]:
        """See `Streams.pipe`."""
        return BlockingStream[T](stream).pipe(source)

    @overload
    def define(self, name: str, type: type[T]) -> BlockingStream[T]: ...
    @overload
    def define(self, name: str, type: Any = ...) -> BlockingStream[Any]: ...
    def define(self, name: str, type: Any = Any) -> BlockingStream[Any]:
        """See `Streams.define`."""
        return BlockingStream(name, type)

    @overload
    def input(self, name: str, type: type[T]) -> BlockingInput[T]: ...
    @overload
    def input(self, name: str, type: Any = ...) -> BlockingInput[Any]: ...
    def input(self, name: str, type: Any = Any) -> BlockingInput[Any]:
        """See `Streams.input`."""
        return BlockingInput(checked_name(name), type)

    def read(self, run_id: str, stream: str, *, after: str | None = None) -> Iterator[Any]:
        """See `Streams.read`."""
        return BlockingStream[Any](stream).read(run_id, after=after)

    def parts(self, run_id: str, stream: str, *, after: str | int | None = None) -> Iterator[StreamPart]:
        """See `detent.client.Detent.streams`."""
        from ..client import Detent

        return Detent().streams.parts(run_id, stream, after=after)

    def list(self, run_id: str) -> builtins.list[StreamInfo]:
        """See `Streams.list`."""
        from ..client import Detent

        return Detent().streams.list(run_id)


class Streams:
    """Parts of text or JSON, written in a run and read by whoever follows it: the tokens of a model, say, in a browser.

    Parts are kept in order, with the run. Those that were written before a step, a wait or a trigger stand. After a
    crash, or in another attempt, what came later is written again, and readers are told that it is.
    """

    sync = BlockingStreams()

    def append(self, stream: str, part: Any) -> Call[None]:
        """Append a part, a JSON value of at most 256 KiB, to a stream of this run: ``await streams.append("a", part)``.

        Parts are sent on in batches; this waits only where the engine does not keep up.
        Errors: `NotInRun`, `Unserializable`, `LimitExceeded`.
        """
        return Stream[Any](stream).append(part)

    def writer(self, stream: str) -> AbstractAsyncContextManager[StreamWriter[Any]]:
        """Write parts, and close the stream at the end, so that its readers need not wait for the end of the run:
        ``async with streams.writer("tokens") as tokens: await tokens.write(t)``."""
        return Stream[Any](stream).writer()

    def pipe(self, stream: str, source: AsyncIterable[T] | Iterable[T]) -> AsyncIterator[T]:
        """Append all that `source` gives, and give it on: ``async for t in streams.pipe("tokens", answer): ...``."""
        return Stream[T](stream).pipe(source)

    @overload
    def define(self, name: str, type: type[T]) -> Stream[T]: ...
    @overload
    def define(self, name: str, type: Any = ...) -> Stream[Any]: ...
    def define(self, name: str, type: Any = Any) -> Stream[Any]:
        """A stream that is written and read under one name and with one type of parts.

        Parameters:
          name: 1 to 128 characters. `type`: any type that Pydantic takes; plain JSON values by default.
        """
        return Stream(name, type)

    @overload
    def input(self, name: str, type: type[T]) -> Input[T]: ...
    @overload
    def input(self, name: str, type: Any = ...) -> Input[Any]: ...
    def input(self, name: str, type: Any = Any) -> Input[Any]:
        """Values that others send to the run under a name, with ``runs.send_input(run_id, name, value)``.

        Parameters:
          name: 1 to 128 characters. `type`: any type that Pydantic takes; plain JSON values by default.
        """
        return Input(checked_name(name), type)

    def read(self, run_id: str, stream: str, *, after: str | None = None) -> AsyncIterator[Any]:
        """The parts of a stream of a run, from any process, as they are written; it ends when the stream is closed or
        the run has ended. `after`: the id of the latest event that is known, from an earlier connection.

        Errors: `NotFound`.
        """
        return Stream[Any](stream).read(run_id, after=after)

    def parts(self, run_id: str, stream: str, *, after: str | int | None = None) -> AsyncIterator[StreamPart]:
        """`read`, each part with its place; see `detent.client.AsyncDetent.streams`."""
        from ..client import AsyncDetent

        return AsyncDetent().streams.parts(run_id, stream, after=after)

    async def list(self, run_id: str) -> builtins.list[StreamInfo]:
        """The streams of a run."""
        from ..client import AsyncDetent

        return await AsyncDetent().streams.list(run_id)


streams = Streams()


def checked_name(name: Any) -> str:
    """A name of a stream. Errors: `InvalidOptions`."""
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_CHARS:
        raise InvalidOptions(f"the name of a stream is a text of 1 to {NAME_CHARS} characters, got {name!r}")
    refuse_nul("the name of a stream", name)
    return name


def _plain_text(value: Any) -> str:
    from ..model import json_text

    return json_text.encode(value, "part")
