"""Tells all who follow something of what has changed: one look at the store for each change, however many they are."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

from ..engine.changes import Changes, Key, Watched
from ..engine.feeds import Feed, Frame, Position, Shapes, joined
from ..engine.run_feeds import ListFeed
from ..errors import NotFound
from .sse import beat, opening, wire

__all__ = ["Hub"]

T = TypeVar("T")

logger = logging.getLogger("detent.server")

#: Changes of so long are told together, in seconds.
GATHER_S = 0.004
#: How often a silent connection gets a sign of life, in seconds.
BEAT_S = 15.0
#: News that wait for a slow reader. Beyond it they are dropped, and it reads them from the store when it comes round.
BACKLOG = 256
#: How long to wait after a look at the store has failed, in seconds.
_PATIENCE_S = 0.5


class _News(NamedTuple):
    """Events that are sent together, to readers who are at `before`. None: a sign of life, for whoever is there."""

    before: Position | None
    after: Position | None
    frames: Sequence[Frame]
    told: bytes
    last: bool = False


class _Follower:
    """One reader. On the loop's thread."""

    __slots__ = ("_most", "_woken", "ended", "is_behind", "waiting")

    def __init__(self, most: int) -> None:
        self._most = most
        self.waiting: deque[_News] = deque()
        self.is_behind = False
        self.ended = False
        self._woken: asyncio.Future[None] | None = None

    def tell(self, news: _News) -> None:
        """There are news."""
        if self.is_behind:
            return
        if len(self.waiting) >= self._most:
            self.fall_behind()
            return
        self.waiting.append(news)
        self.wake()

    def fall_behind(self) -> None:
        """It is to read from the store."""
        self.is_behind = True
        self.waiting.clear()
        self.wake()

    def wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    async def news(self) -> None:
        """Until there is something."""
        if not self.waiting and not self.is_behind and not self.ended:
            self._woken = asyncio.get_running_loop().create_future()
            try:
                await self._woken
            finally:
                self._woken = None


class _Topic:
    """Those who follow one feed, and how far they all have been told where it is one run."""

    __slots__ = ("feed", "followers", "position")

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.followers: set[_Follower] = set()
        self.position: Position | None = None


class Hub:
    """The followers of a server, on the loop that serves them.

    Parameters:
      shapes: of the store that is followed.
      listeners: what is called after each commit; the hub adds itself.
      beat_s: how often a silent connection gets a sign of life, in seconds.
      backlog: how many news may wait for a slow reader.
    """

    def __init__(
        self,
        shapes: Shapes,
        listeners: list[Callable[[], None]],
        *,
        beat_s: float = BEAT_S,
        backlog: int = BACKLOG,
    ) -> None:
        self._beat_s = beat_s
        self._backlog = backlog
        self._changes = Changes(shapes)
        self._topics: dict[Key, _Topic] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        # One thread reads for all: what a follower has read and what it is told then follow each other without a gap.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="detent-follow")
        self._rung = False
        self._closed = False
        self._looking: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        listeners.append(self.ring)

    def ring(self) -> None:
        """Something was committed. On any thread, and cheap: nobody may follow anything."""
        loop = self._loop
        if loop is None or self._rung or not self._topics:
            return
        self._rung = True
        try:
            loop.call_soon_threadsafe(self._look)
        except RuntimeError:  # the loop has been closed
            self._loop, self._rung = None, False

    def close(self) -> None:
        """End all streams; clients come back when the server does. On the loop's thread."""
        self._closed = True
        for topic in self._topics.values():
            for follower in topic.followers:
                follower.ended = True
                follower.wake()
        for task in (self._looking, self._beating):
            if task is not None:
                task.cancel()
        self._reader.shutdown(wait=False)

    async def position(self, feed: Feed, event_id: str | None) -> Position | None:
        """The position of an event id. Errors: `InvalidOptions` for an id that is none; those of the feed."""
        position = feed.at(event_id)
        await self._read(lambda: feed.read(position))
        return position

    async def follow(self, feed: Feed, position: Position | None) -> AsyncGenerator[Sequence[bytes], None]:
        """What is told of `feed` from `position` on, as it is to be sent."""
        yield [opening()]
        follower, is_first = self._join(feed)
        try:
            if is_first:
                await self._read(self._changes.skip)
            while not self._closed:
                follower.is_behind = False
                try:
                    frames, more = await self._read(partial(feed.read, position))
                except NotFound:
                    return  # it was removed; whoever comes back is told so
                if frames:
                    position = frames[-1].after
                    yield [wire(frame) for frame in frames]
                    if frames[-1].last:
                        return
                if more or not self._is_level(feed, position):
                    continue
                #: Runs of a list that the reader knows already as they will be told of.
                ahead = {run_id: place for frame in frames for run_id, place, _ in frame.runs}
                while not follower.is_behind and not self._closed:
                    await follower.news()
                    pieces, position, over = _taken(follower, position, ahead)
                    if pieces:
                        yield pieces
                    if over:
                        return
        finally:
            self._leave(feed, follower)

    def _join(self, feed: Feed) -> tuple[_Follower, bool]:
        self._loop = asyncio.get_running_loop()
        topic = self._topics.get(feed.key)
        is_first = not self._topics
        if topic is None:
            topic = self._topics[feed.key] = _Topic(feed)
        follower = _Follower(self._backlog)
        topic.followers.add(follower)
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat())
        return follower, is_first

    def _leave(self, feed: Feed, follower: _Follower) -> None:
        topic = self._topics.get(feed.key)
        if topic is not None:
            topic.followers.discard(follower)
            if not topic.followers:
                del self._topics[feed.key]
        if not self._topics and self._beating is not None:
            self._beating.cancel()
            self._beating = None

    def _is_level(self, feed: Feed, position: Position | None) -> bool:
        """Whether a follower at `position` may go on with what all are told; if not, others are further on."""
        topic = self._topics[feed.key]
        if feed.key[0] != "run" or position is None:
            return True
        if topic.position is None:
            topic.position = position
        return position >= topic.position

    def _look(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on())

    async def _look_on(self) -> None:
        more = True
        while (more or self._rung) and self._topics and not self._closed:
            await asyncio.sleep(0 if more and not self._rung else GATHER_S)
            self._rung = False
            try:
                told, more = await self._read(lambda: self._changes.read(self._watched()))
            except Exception:
                logger.exception("what has changed cannot be read; it is tried again")
                await asyncio.sleep(_PATIENCE_S)
                more = True
                continue
            for key, frames in told:
                self._tell(key, frames)
        self._rung = False

    def _watched(self) -> Watched:
        topics = list(self._topics.items())
        return Watched(
            {key[1]: (topic.position, topic.feed.shapes) for key, topic in topics if key[0] == "run"},
            {(key[1], key[2]): topic.feed.shapes for key, topic in topics if key[0] == "stream"},
            tuple(topic.feed for _, topic in topics if isinstance(topic.feed, ListFeed)),
        )

    def _tell(self, key: Key, frames: list[Frame] | None) -> None:
        topic = self._topics.get(key)
        if topic is None:
            return
        if frames is None:
            for follower in topic.followers:
                follower.fall_behind()
            return
        last = frames[-1] if frames[-1].last else None
        first = frames[:-1] if last is not None else frames
        if first:
            self._spread(topic, _News(first[0].before, first[-1].after, first, b"".join(map(wire, first))))
        if last is not None:
            self._spread(topic, _News(last.before, last.after, [last], wire(last), last=True))
        if key[0] == "run":
            topic.position = frames[-1].after

    async def _beat(self) -> None:
        while not self._closed:
            await asyncio.sleep(self._beat_s)
            for topic in self._topics.values():
                at = self._changes.at if isinstance(topic.feed, ListFeed) else None
                self._spread(topic, _News(None, at, (), beat(at)))

    @staticmethod
    def _spread(topic: _Topic, news: _News) -> None:
        for follower in topic.followers:
            follower.tell(news)

    async def _read(self, read: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, read)


def _taken(
    follower: _Follower, position: Position | None, ahead: dict[str, Position]
) -> tuple[list[bytes], Position | None, bool]:
    """What is to be sent of that which waits, where its reader is then, and whether it was the last."""
    pieces: list[bytes] = []
    while follower.waiting:
        news = follower.waiting.popleft()
        if news.last:
            return [*pieces, news.told], news.after, True
        if news.before is not None and position is not None and news.before < position:
            if news.after is not None and news.after > position:
                follower.fall_behind()  # part of it is known: the rest is read from the store
            continue
        told = news.told
        if ahead:
            told = b"".join(wire(frame) for frame in map(partial(_fresh, ahead), news.frames)) or told
        if news.after is not None:
            position = news.after if position is None else max(position, news.after)
        pieces.append(told)
    return pieces, position, follower.ended


def _fresh(ahead: dict[str, Position], frame: Frame) -> Frame:
    """`frame` of a list without the runs that its reader knows already."""
    runs = [run for run in frame.runs if ahead.pop(run[0], None) != run[1]]
    if len(runs) == len(frame.runs):
        return frame
    return joined(frame._replace(runs=runs)) if runs else frame._replace(data=b"", runs=())
