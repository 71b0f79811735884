"""The other engines on the same database: tells them what concerns them, and takes what they tell.

News may be lost, and everything that they bring is found by a poll as well: runs by the workers' own, the ends of runs
by whoever waits for them, timers by the loops, cancellations by `Lookout`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import StoreError
from ..model.channel import BrokerState, Channel, Tickets
from ..model.ids import new_id
from ..model.protocol import CancelPush, EvictPush, Push, SatisfiedPush
from .crews import Crews
from .loops import Loop
from .news import News
from .results import result_of

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["LOOK_S", "Neighbours"]

logger = logging.getLogger("detent.engine")

#: How often the store is asked for what news may have told, in seconds.
LOOK_S = 1.0
#: How often the crews are told, in milliseconds.
_CREWS_MS = 5_000
#: Between two messages, in seconds: a storm of commits is told together.
_REST_S = 0.004
#: So long after the start, or after messages may have been lost, others may not have been heard of, in seconds.
_UNSURE_S = 10.0
#: Beyond so many things that changed between two messages, the others look for themselves.
_MOST = 2_000

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(News).decode


class Neighbours:
    """Of one engine.

    Parameters:
      engine: whose commits are told, and whose workers and callers hear of those of others.
      channel: carries the news. `tickets`: wakes workers of a class that take tickets; None where there is no broker.
    """

    def __init__(self, engine: Engine, channel: Channel, tickets: Tickets | None = None) -> None:
        self.engine_id = new_id("engine")
        self._engine = engine
        self._channel = channel
        self._tickets = tickets
        self._crews = Crews(engine.sessions)
        self._lock = Lock()
        self._gathered = News(self.engine_id)
        self._has_news = False
        self._unsure_until = time.monotonic() + _UNSURE_S
        self._herald = _Herald(self._tell)
        self._lookout = _Lookout(engine)
        self._is_started = False

    def start(self) -> None:
        """Hear and be heard, once."""
        self._is_started = True
        self._channel.start(self._hear, self._missed)
        self._herald.start()
        self._lookout.start()

    def stop(self) -> None:
        """Take leave."""
        if not self._is_started:
            return
        self._is_started = False
        self._lookout.stop()
        self._herald.stop()
        with self._lock:
            last, self._gathered = self._gathered, News(self.engine_id)
        last.leaves = True
        self._channel.send(_encode(last))
        self._channel.stop()

    def state(self) -> BrokerState:
        """How the way to the others is."""
        return self._channel.state()

    # What has happened here. Called after commits, on any thread; nothing of it waits for the network.

    def changed(self) -> None:
        """Something was committed."""
        with self._lock:
            if self._has_news:
                return
            self._has_news = True
        self._herald.wake()

    def queued(self, env: str, left: dict[str, int]) -> None:
        """Runs of `env` by task, for which no worker that is connected here was hungry."""
        untold = left if self._tickets is None else self._send_tickets(env, left)
        if untold:
            with self._lock:
                tasks = self._gathered.queued.setdefault(env, {})
                for task, n in untold.items():
                    tasks[task] = tasks.get(task, 0) + n

    def anyone(self, env: str) -> None:
        """Workers of `env` may find runs that nobody could claim before."""
        with self._lock:
            if env not in self._gathered.anyone:
                self._gathered.anyone.append(env)

    def sticky(self, env: str, task: str, worker_id: str) -> None:
        """A run whose frame a worker elsewhere holds is queued."""
        with self._lock:
            self._gathered.sticky.append((env, task, worker_id))

    def ended(self, runs: list[str]) -> None:
        """Runs have reached their final state."""
        with self._lock:
            self._gathered.ended += runs

    def push(self, worker_id: str, push: Push) -> None:
        """A worker that is not connected here is to be told."""
        with self._lock:
            match push:
                case CancelPush():
                    self._gathered.canceled.append((worker_id, push.run_id))
                case SatisfiedPush():
                    self._gathered.satisfied.append((worker_id, push.run_id, push.epoch, push.result.key))
                case EvictPush():
                    self._gathered.evicted.append((worker_id, push.run_id))

    def due(self, at: int) -> None:
        """A timer was set."""
        with self._lock:
            self._gathered.due = at if self._gathered.due is None else min(self._gathered.due, at)

    def loop(self, name: str) -> None:
        """The loop of that name has something to do."""
        with self._lock:
            if name not in self._gathered.loops:
                self._gathered.loops.append(name)

    def crews_changed(self) -> None:
        """Workers have come or gone."""
        self._herald.crews_at = 0.0
        self.changed()

    def _send_tickets(self, env: str, left: dict[str, int]) -> dict[str, int]:
        """Wake workers elsewhere by tickets; for which runs there is nobody who takes one."""
        assert self._tickets is not None
        untold: dict[str, int] = {}
        wanted: dict[str, int] = {}
        for task, n in left.items():
            if not n:
                continue
            queues = self._crews.queues_for(env, task)
            if not queues:
                untold[task] = n
            # Each worker takes as many runs as it has room for, so that a few tickets serve many runs.
            for queue, workers in queues:
                wanted[queue] = max(wanted.get(queue, 0), min(n, workers))
        for queue, n in wanted.items():
            if not self._tickets.send(queue, n):
                return left
        return untold

    # Telling.

    def _tell(self, with_crews: bool) -> None:
        with self._lock:
            gathered, self._gathered = self._gathered, News(self.engine_id)
            self._has_news = False
        if not with_crews and time.monotonic() > self._unsure_until and not self._crews.has_others():
            return  # nobody listens
        if gathered.size() > _MOST:
            gathered = News(self.engine_id, everything=True)
        if with_crews:
            gathered.crews = self._crews.here()
            gathered.asks = not self._herald.has_asked
            self._herald.has_asked = True
        self._channel.send(_encode(gathered))

    # Hearing. On a thread of the channel.

    def _hear(self, data: bytes) -> None:
        try:
            news = _decode(data)
        except msgspec.DecodeError as error:
            logger.debug("news that are none: %s", error)
            return
        if news.engine == self.engine_id:
            return
        if news.leaves:
            self._crews.forget(news.engine)
        if news.crews is not None:
            self._crews.learn(news.engine, news.crews)
        if news.asks:
            self.crews_changed()
        self._apply(news)

    def _missed(self) -> None:
        """Messages may have been lost."""
        self._unsure_until = time.monotonic() + _UNSURE_S
        self._herald.has_asked = False
        self.crews_changed()
        self._apply(News("", everything=True))

    def _apply(self, news: News) -> None:
        engine = self._engine
        sessions = engine.sessions
        for _, task, worker_id in news.sticky:
            sessions.wake_one(worker_id, task)
        for env in {*news.queued, *news.anyone}:
            sessions.wake(env, news.queued.get(env, {}), env in news.anyone)
        engine.waiters.tell(news.ended)
        for worker_id, run_id in news.canceled:
            self._if_here(worker_id, partial(self._cancel, worker_id, run_id))
        for worker_id, run_id, epoch, key in news.satisfied:
            self._if_here(worker_id, partial(self._satisfy, worker_id, run_id, epoch, key))
        for worker_id, run_id in news.evicted:
            self._if_here(worker_id, partial(self._evict, worker_id, run_id))
        if news.everything:
            for env in sessions.envs():
                sessions.wake(env, {}, anyone=True)
            engine.waiters.tell_all()
            self._lookout.wake()
        for loop in engine.loops:
            if loop.name in news.loops or news.everything:
                loop.wake()
        if news.due is not None:
            engine.set_timers(news.due)
        for listener in engine.listeners:
            listener()

    def _if_here(self, worker_id: str, act: Callable[[], None]) -> None:
        if self._engine.sessions.reaches(worker_id):
            try:
                act()
            except Exception as error:  # the store may be away; what was to be told is found by a poll
                logger.debug("news for worker %s are not told: %s", worker_id, error)

    def _cancel(self, worker_id: str, run_id: str) -> None:
        row = self._run(run_id)
        if row is not None and row["worker_id"] == worker_id and row["cancel_requested_at"] is not None:
            self._engine.sessions.push(worker_id, CancelPush(run_id, row["epoch"], row["cancel_reason"] or ""))

    def _evict(self, worker_id: str, run_id: str) -> None:
        row = self._run(run_id)
        if row is None or (row["sticky_worker"] != worker_id and row["worker_id"] != worker_id):
            self._engine.sessions.push(worker_id, EvictPush(run_id))

    def _satisfy(self, worker_id: str, run_id: str, epoch: int, key: str) -> None:
        reading = _Reading(self._engine.store)
        row = self._run(run_id)
        if row is None or (row["worker_id"], row["epoch"], row["state"]) != (worker_id, epoch, "EXECUTING"):
            return
        wait = reading.one("find_wait", run_id=run_id, key=key)
        if (wait is not None and wait["pending"] > 0) or reading.one("find_journal", run_id=run_id, key=key) is None:
            return
        self._engine.sessions.push(worker_id, SatisfiedPush(run_id, epoch, result_of(reading, run_id, key)))

    def _run(self, run_id: str) -> Any:
        return _Reading(self._engine.store).one("find_run", id=run_id)


class _Herald(Loop):
    """Sends what has gathered, and the crews every few seconds."""

    def __init__(self, tell: Callable[[bool], None]) -> None:
        super().__init__("news")
        self._send = tell
        #: When the crews are told again, by the monotonic clock; 0 for now.
        self.crews_at = 0.0
        self.has_asked = False
        self._told_at = 0.0

    def _tick(self) -> int | None:
        rest = self._told_at + _REST_S - time.monotonic()
        if rest > 0:
            time.sleep(rest)
        with_crews = time.monotonic() >= self.crews_at
        if with_crews:
            self.crews_at = time.monotonic() + _CREWS_MS / 1000
        self._told_at = time.monotonic()
        self._send(with_crews)
        return _CREWS_MS


class _Lookout(Loop):
    """Asks the store for what news may have told, and did not."""

    def __init__(self, engine: Engine) -> None:
        super().__init__("lookout")
        self._engine = engine
        self._told: set[tuple[str, int]] = set()

    def _tick(self) -> int | None:
        try:
            self._tell_canceled()
        except StoreError as error:
            logger.debug("the store is not asked for cancellations: %s", error)
        for listener in self._engine.listeners:
            listener()
        return int(LOOK_S * 1000)

    def _tell_canceled(self) -> None:
        sessions = self._engine.sessions
        canceled = self._engine.store.read("list_canceled") if sessions.envs() else []
        here = {(row["id"], row["epoch"]): row for row in canceled if sessions.reaches(row["worker_id"])}
        for run, row in here.items():
            if run not in self._told:
                sessions.push(row["worker_id"], CancelPush(row["id"], row["epoch"], row["cancel_reason"] or ""))
        self._told = set(here)


class _Reading:
    """What a transaction reads with, outside of one."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def all(self, statement: str, **values: Any) -> list[Any]:
        rows: list[Any] = self._store.read(statement, **values)
        return rows

    def one(self, statement: str, **values: Any) -> Any:
        return next(iter(self.all(statement, **values)), None)
