"""How many requests each key may make, by class of route, in a moving window; every answer says what is left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import RateLimited
from ..model.http_api import TRIGGER_BATCH
from ..model.links import LINKS
from ..model.rate_limit import USUAL, Rate
from .callbacks import is_callback
from .doorkeeper import principal_of
from .problems import refusal_of

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.strategies import RateLimiter

__all__ = ["Counted", "RateLimitLayer", "RateLimits", "class_of"]


class Counted(NamedTuple):
    """What became of one request: the headers of its answer, and, where it is refused, how long to wait in seconds."""

    headers: dict[str, str]
    retry_after: int | None = None


class RateLimits:
    """Counts requests in this process.

    Parameters:
      rates: by class of route; a class without one is not limited. None: `USUAL`, and the local key has none.
    """

    def __init__(self, rates: Mapping[str, Rate] | None = None) -> None:
        self._rates = USUAL if rates is None else rates
        #: Whether the key of the embedded server is limited, too.
        self.local = rates is not None
        self._limiter: RateLimiter | None = None
        self._items: dict[str, RateLimitItem] = {}

    def check(self, key_id: str, route_class: str) -> Counted:
        """Count one request of the key."""
        rate = self._rates.get(route_class)
        if rate is None:
            return Counted({})
        limiter, item = self._opened(route_class, rate)
        taken = limiter.hit(item, key_id, route_class)
        reset_at, left = limiter.get_window_stats(item, key_id, route_class)
        seconds = max(1, ceil(reset_at - time.time()))
        headers = {
            "ratelimit-limit": str(rate.requests),
            "ratelimit-remaining": str(left),
            "ratelimit-reset": str(seconds),
            "ratelimit-policy": f'"{route_class}";q={rate.requests};w={rate.seconds}',
            "ratelimit": f'"{route_class}";r={left};t={seconds}',
        }
        return Counted(headers, None if taken else seconds)

    def refusal(self, route_class: str, seconds: int) -> RateLimited:
        """The error for a request that was one too many."""
        rate = self._rates[route_class]
        return RateLimited(
            f"this key has made its {rate.requests:,} requests ({route_class}) of {rate.seconds:,} s; "
            f"go on in {seconds} s, send batches, or ask for a higher limit (rate_limit in the server's settings)",
            retry_after=seconds,
        )

    def _opened(self, route_class: str, rate: Rate) -> tuple[RateLimiter, RateLimitItem]:
        if self._limiter is None:
            # The package takes 0.3 s to import, which a server whose only key is its owner's never needs.
            from limits.storage import MemoryStorage
            from limits.strategies import MovingWindowRateLimiter

            self._limiter = MovingWindowRateLimiter(MemoryStorage())
        item = self._items.get(route_class)
        if item is None:
            from limits import RateLimitItemPerSecond

            item = self._items[route_class] = RateLimitItemPerSecond(rate.requests, rate.seconds)
        return self._limiter, item


class RateLimitLayer:
    """Counts the requests that come through it, once it is known who asks."""

    def __init__(self, app: ASGIApp, limits: RateLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key_id = self._key_of(scope)
        if key_id is None:
            await self._app(scope, receive, send)
            return
        route_class = class_of(scope)
        counted = self._limits.check(key_id, route_class)
        if counted.retry_after is not None:
            refusal = refusal_of(self._limits.refusal(route_class, counted.retry_after))
            refusal.headers.update(counted.headers)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, _with_headers(send, counted.headers) if counted.headers else send)

    def _key_of(self, scope: Scope) -> str | None:
        if scope["type"] != "http":
            return None
        if is_callback(scope):
            return str(scope["path"])
        if scope["path"].startswith(f"{LINKS}/"):
            return None  # workers, which the size of the server's own machine limits
        principal = principal_of(scope)
        if principal is None or (principal.kind == "local" and not self._limits.local):
            return None
        return principal.key_id


def class_of(scope: Scope) -> str:
    """The class of route that a request is for."""
    if is_callback(scope):
        return "callback"
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return "read"
    path: str = scope["path"]
    if path == TRIGGER_BATCH or (path.startswith("/api/v1/tasks/") and path.endswith("/trigger")):
        return "trigger"
    return "write"


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return sending
