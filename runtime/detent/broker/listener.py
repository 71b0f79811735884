"""The thread of a channel: connects, listens, and connects again for as long as it takes."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Event, Thread

from ..model.channel import BrokerState
from .health import Health

__all__ = ["ListeningChannel"]

logger = logging.getLogger("detent.broker")

#: Before another try while the server is away, in seconds.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0


class ListeningChannel(ABC):
    """What channels over a server have in common. See `model.channel.Channel`.

    Parameters:
      health: told how it goes. `failures`: what the client raises.
    """

    def __init__(self, health: Health, failures: tuple[type[BaseException], ...]) -> None:
        self.health = health
        self.failures = failures
        self.closed = Event()
        self._thread: Thread | None = None
        self._on_message: Callable[[bytes], None] | None = None

    def start(self, on_message: Callable[[bytes], None], on_gap: Callable[[], None]) -> None:
        """See `Channel`."""
        self._on_message = on_message
        self._thread = Thread(target=self._run, args=(on_gap,), name="detent-news", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """See `Channel`."""
        self.closed.set()
        self.cut()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    def state(self) -> BrokerState:
        """See `Channel`."""
        return self.health.state()

    @abstractmethod
    def send(self, data: bytes) -> None:
        """See `Channel`."""

    @abstractmethod
    def connect(self) -> None:
        """Connect anew, and listen."""

    @abstractmethod
    def listen(self) -> None:
        """Take what comes for a few seconds at the most; raise one of `failures` when the server is away."""

    @abstractmethod
    def cut(self) -> None:
        """Let go of all connections; `listen` on another thread comes back soon. Raises nothing."""

    def take(self, data: bytes) -> None:
        """A message has come."""
        if self._on_message is None:
            return
        try:
            self._on_message(data)
        except Exception:
            # Its sender is served already: the next message may be one that can be taken.
            logger.exception("news could not be taken")

    def _run(self, on_gap: Callable[[], None]) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self.closed.is_set():
            try:
                self.connect()
                self.health.worked("news")
                pause_s = _FIRST_PAUSE_S
                # Whoever has just come does not know what was said before.
                on_gap()
                while not self.closed.is_set():
                    self.listen()
            except self.failures as error:
                self._failed(error)
            except Exception as error:  # a client's own fault must not end the thread
                logger.debug("the channel failed", exc_info=True)
                self._failed(error)
            self.closed.wait(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
        # It may have connected after it was told to let go.
        self.cut()

    def _failed(self, error: BaseException) -> None:
        self.cut()
        if not self.closed.is_set():
            self.health.failed("news", error)
