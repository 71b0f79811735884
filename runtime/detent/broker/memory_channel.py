"""News between engines of one process."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from ..model.channel import BrokerState
from .health import Health

__all__ = ["MemoryBus", "MemoryChannel"]


class MemoryBus:
    """What the channels of one process share."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[bytes], None]] = []
        self._lock = Lock()

    def join(self, listener: Callable[[bytes], None]) -> None:
        """`listener` is told from now on."""
        with self._lock:
            self._listeners.append(listener)

    def leave(self, listener: Callable[[bytes], None]) -> None:
        """`listener` is told no more."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def tell(self, data: bytes) -> None:
        """Tell all, on this thread."""
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener(data)


class MemoryChannel:
    """See `model.channel.Channel`. Whoever sends waits until all have been told.

    Parameters:
      bus: shared by the engines that hear each other. `loses`: whether a message is lost (tests).
    """

    def __init__(self, bus: MemoryBus, loses: Callable[[bytes], bool] = lambda _data: False) -> None:
        self._bus = bus
        self._loses = loses
        self._health = Health("memory:", "channel")
        self._on_message: Callable[[bytes], None] | None = None

    def start(self, on_message: Callable[[bytes], None], on_gap: Callable[[], None]) -> None:  # noqa: ARG002
        """See `Channel`. There are no gaps."""
        self._on_message = on_message
        self._bus.join(on_message)

    def send(self, data: bytes) -> None:
        """See `Channel`."""
        if not self._loses(data):
            self._bus.tell(data)

    def stop(self) -> None:
        """See `Channel`."""
        if self._on_message is not None:
            self._bus.leave(self._on_message)

    def state(self) -> BrokerState:
        """See `Channel`."""
        return self._health.state()
