"""How the way to a broker is: told once when it breaks, once when it is whole again, and shown meanwhile."""

from __future__ import annotations

import logging
import time
from threading import Lock

from ..model.channel import BrokerState
from ..open_servers import shown

__all__ = ["Health"]

logger = logging.getLogger("detent.broker")

#: A broker that takes longer for a few bytes wakes nobody faster than the poll would, in milliseconds.
_SLOW_MS = 250.0
#: So many more slow words than quick ones make it slow, and as many more quick ones quick: a busy machine is no news.
_STEPS = 3


class Health:
    """What the parts of this process that use one broker make of it. May be used from any thread.

    Parameters:
      url: of the broker. `what`: what it is called in the log. `quiet`: nothing is logged.
    """

    def __init__(self, url: str, what: str = "broker", *, quiet: bool = False) -> None:
        self._url = shown(url)
        self._quiet = quiet
        self._what = what
        self._lock = Lock()
        self._parts: dict[str, bool] = {}
        self._state = "ok"
        self._since = _now()
        self._last_error: str | None = None
        self._latency_ms: float | None = None
        self._slow_words = 0
        self._is_slow = False

    def worked(self, part: str, latency_ms: float | None = None) -> None:
        """`part` got through, in so many milliseconds."""
        with self._lock:
            if latency_ms is not None:
                self._latency_ms = latency_ms
                self._count(latency_ms > _SLOW_MS)
            if self._parts.get(part) is not True or latency_ms is not None:
                self._parts[part] = True
                self._judge()

    def failed(self, part: str, error: BaseException | str) -> None:
        """`part` did not get through."""
        with self._lock:
            self._last_error = _text(error)
            if self._parts.get(part) is not False:
                self._parts[part] = False
                self._judge()

    def forget(self, part: str) -> None:
        """`part` is not there any more."""
        with self._lock:
            if self._parts.pop(part, None) is not None:
                self._judge()

    @property
    def is_down(self) -> bool:
        """Whether nothing gets through."""
        return self._state == "down"

    def state(self) -> BrokerState:
        """How it is now."""
        with self._lock:
            error = None if self._state == "ok" else self._last_error
            return BrokerState(self._url, self._state, self._since, error, self._latency_ms)

    def _count(self, slow: bool) -> None:
        self._slow_words = max(0, min(_STEPS, self._slow_words + (1 if slow else -1)))
        if self._slow_words in (0, _STEPS):
            self._is_slow = self._slow_words == _STEPS

    def _judge(self) -> None:
        before, whole = self._state, list(self._parts.values())
        if whole and not any(whole):
            self._state = "down"
        elif not all(whole) or self._is_slow:
            self._state = "degraded"
        else:
            self._state = "ok"
        if self._state == before:
            return
        self._since = _now()
        if self._quiet:
            return
        if before == "ok":
            reason = self._last_error if not all(whole) else f"a word takes {self._latency_ms:.0f} ms"
            logger.warning(
                "the %s %s is %s: %s; nothing is lost, work goes on by polling",
                self._what,
                self._url,
                self._state,
                reason,
            )
        elif self._state == "ok":
            logger.warning("the %s %s is back", self._what, self._url)


def _text(error: BaseException | str) -> str:
    if isinstance(error, str):
        return error
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _now() -> int:
    return time.time_ns() // 1_000_000
