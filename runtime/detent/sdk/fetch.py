"""``retry.fetch``: HTTP requests that are sent again when the answer, or its lack, is worth another try."""

from __future__ import annotations

import random as randomness
import re
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, get_args

from detent.errors import InvalidOptions
from detent.model.duration import SECOND, Duration, parse_duration, parse_when
from detent.model.retry import RetryPolicy
from detent.sdk import pause

if TYPE_CHECKING:
    import ssl

    import httpx

__all__ = ["FetchRetry", "HeaderStrategy", "RequestOptions", "fetch", "fetch_sync"]

ResetFormat = Literal["unix_timestamp", "unix_timestamp_in_ms", "iso_8601", "iso_8601_duration_openai_variant"]
_STATUSES = re.compile(r"\s*([1-5]\d\d)(?:\s*-\s*([1-5]\d\d))?\s*", re.ASCII)
_DEFAULT_STATUSES = "408,409,429,500-599"


@dataclass(frozen=True, slots=True)
class HeaderStrategy:
    """Wait until the moment that the server's rate limit headers name.

    Parameters:
      reset_header: says when the limit is reset.
      reset_format: how it says so: ``unix_timestamp`` (seconds), ``unix_timestamp_in_ms``, ``iso_8601``, or
        ``iso_8601_duration_openai_variant`` (a length of time such as "6m0s").
      remaining_header: calls that are left. Above 0, the limit is not the reason and `backoff` decides.
      limit_header: sent only by the rate limiter. When named and missing in an answer, `backoff` decides.
      backoff: number of attempts, and the pauses when the headers are missing or unreadable.
    """

    reset_header: str
    reset_format: ResetFormat = "unix_timestamp"
    remaining_header: str | None = None
    limit_header: str | None = None
    backoff: RetryPolicy = field(default_factory=RetryPolicy)

    def __post_init__(self) -> None:
        if self.reset_format not in get_args(ResetFormat):
            raise InvalidOptions(
                f"reset_format: got {self.reset_format!r}, expected one of {', '.join(get_args(ResetFormat))}"
            )

    def seconds(self, headers: Mapping[str, str], now_ms: int) -> float | None:
        """Seconds until the limit is reset, or None when the headers do not say."""
        if self.limit_header and self.limit_header not in headers:
            return None
        if self.remaining_header and headers.get(self.remaining_header, "0").strip() not in {"0", "0.0"}:
            return None
        text = headers.get(self.reset_header)
        if text is None:
            return None
        try:
            return max(0.0, (self._reset_ms(text, now_ms) - now_ms) / SECOND)
        except (ValueError, InvalidOptions):
            return None

    def _reset_ms(self, text: str, now_ms: int) -> float:
        match self.reset_format:
            case "unix_timestamp":
                return float(text) * SECOND
            case "unix_timestamp_in_ms":
                return float(text)
            case "iso_8601":
                return parse_when(text, now_ms)
            case "iso_8601_duration_openai_variant":
                return now_ms + parse_duration(text)


@dataclass(frozen=True, slots=True)
class FetchRetry:
    """What `retry.fetch` tries again, and how.

    Parameters:
      by_status: statuses ("429", "500-599", "408,409") to a strategy: a `Retry` or
        ``{"strategy": "backoff", ...}`` with its fields; a `HeaderStrategy` or
        ``{"strategy": "headers", "reset_header": ..., ...}`` with the fields of both. The first entry that
        has the status decides. It replaces the default, backoff for 408, 409, 429 and 500-599.
      connection_error: a `Retry`, a dict with its fields, or False: no connection, or one that broke.
      timeout: the same for requests that took too long.
      max_wait: the longest pause that a server may ask for (``Retry-After``, rate limit headers), seconds
        or text. When it asks for a longer one the answer is returned at once, since trying earlier would be
        in vain.

    Raises InvalidOptions for anything else.
    """

    by_status: Mapping[str, Any] = field(default_factory=lambda: {_DEFAULT_STATUSES: RetryPolicy()})
    connection_error: RetryPolicy | Mapping[str, Any] | Literal[False] = field(default_factory=RetryPolicy)
    timeout: RetryPolicy | Mapping[str, Any] | Literal[False] = field(default_factory=RetryPolicy)
    max_wait: Duration = "1h"

    def __post_init__(self) -> None:
        for statuses in self.by_status:
            _spans(statuses)
        strategies = {statuses: _strategy(value, statuses) for statuses, value in self.by_status.items()}
        object.__setattr__(self, "by_status", strategies)
        object.__setattr__(self, "connection_error", _policy(self.connection_error, "connection_error"))
        object.__setattr__(self, "timeout", _policy(self.timeout, "timeout"))
        object.__setattr__(self, "max_wait", parse_duration(self.max_wait, "max_wait") / SECOND)

    @classmethod
    def read(cls, value: FetchRetry | Mapping[str, Any] | Literal[False] | None) -> FetchRetry:
        """The settings from what `retry.fetch` takes as ``retry``."""
        if isinstance(value, FetchRetry):
            return value
        if value is None:
            return cls()
        if value is False:
            return cls(by_status={}, connection_error=False, timeout=False)
        return cls(**_known(value, cls, "retry"))

    def strategy_for(self, status: int) -> RetryPolicy | HeaderStrategy | None:
        """How an answer of this status is tried again; None when it is not."""
        for statuses, strategy in self.by_status.items():
            if any(low <= status <= high for low, high in _spans(statuses)):
                chosen: RetryPolicy | HeaderStrategy = strategy
                return chosen
        return None


def _spans(statuses: object) -> list[tuple[int, int]]:
    found = [_STATUSES.fullmatch(part) for part in str(statuses).split(",")]
    spans = [(int(match[1]), int(match[2] or match[1])) for match in found if match]
    if len(spans) != len(found) or any(low > high for low, high in spans):
        raise InvalidOptions(
            f'retry.by_status: got {statuses!r}, expected statuses such as "429", "408,409" or "500-599"'
        )
    return spans


def _strategy(value: object, statuses: str) -> RetryPolicy | HeaderStrategy:
    name = f"retry.by_status[{statuses!r}]"
    if isinstance(value, RetryPolicy | HeaderStrategy):
        return value
    if isinstance(value, Mapping):
        settings = dict(value)
        match settings.pop("strategy", "backoff"):
            case "backoff":
                return RetryPolicy.from_dict(settings, name)
            case "headers":
                own = {f.name for f in fields(HeaderStrategy)}
                headers = {key: settings.pop(key) for key in own & settings.keys()}
                if "reset_header" not in headers:
                    raise InvalidOptions(
                        f'{name}: strategy "headers" needs reset_header, the header that says when to return'
                    )
                return HeaderStrategy(**{"backoff": RetryPolicy.from_dict(settings, name), **headers})
    raise InvalidOptions(f'{name}: got {value!r}, expected a dict with "strategy": "backoff" or "headers", or a Retry')


def _policy(value: object, name: str) -> RetryPolicy | Literal[False]:
    if value is False or isinstance(value, RetryPolicy):
        return value
    if isinstance(value, Mapping):
        settings = {key: setting for key, setting in value.items() if (key, setting) != ("strategy", "backoff")}
        return RetryPolicy.from_dict(settings, f"retry.{name}")
    raise InvalidOptions(f"retry.{name}: got {value!r}, expected a Retry, a dict with its fields, or False")


def _known(value: object, kind: type[FetchRetry], name: str) -> Mapping[str, Any]:
    names = [f.name for f in fields(kind)]
    if not isinstance(value, Mapping):
        raise InvalidOptions(f"{name}: got {value!r}, expected a FetchRetry, a dict with {', '.join(names)}, or False")
    for key in value:
        if key not in names:
            raise InvalidOptions(f"{name}: unknown setting {key!r}, expected any of {', '.join(names)}")
    return value


class RequestOptions(TypedDict, total=False):
    """What `retry.fetch` takes besides the address and the client; each is described there."""

    method: str
    headers: Mapping[str, str] | None
    params: Mapping[str, Any] | None
    json: Any
    content: bytes | str | None
    timeout: Duration | None
    retry: FetchRetry | Mapping[str, Any] | Literal[False] | None


class _Exchange:
    """One request under retry: what is sent, and after each outcome the pause in seconds, or None to stop."""

    def __init__(
        self,
        url: str | httpx.URL,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | str | None = None,
        timeout: Duration | None = 60.0,
        retry: FetchRetry | Mapping[str, Any] | Literal[False] | None = None,
    ) -> None:
        if json is not None and content is not None:
            raise InvalidOptions("retry.fetch: got both json and content, expected one body; leave one out")
        if content is not None and not isinstance(content, bytes | str):
            raise InvalidOptions(
                f"content: got {type(content).__name__}, expected bytes or text, which can be sent again"
            )
        self._settings = FetchRetry.read(retry)
        self._attempt = 0
        self.request: dict[str, Any] = {
            "method": method,
            "url": url,
            "headers": headers,
            "params": params,
            "json": json,
            "content": content,
            "timeout": None if timeout is None else parse_duration(timeout, "timeout") / SECOND,
        }

    def after_response(self, response: httpx.Response) -> float | None:
        self._attempt += 1
        strategy = self._settings.strategy_for(response.status_code)
        if strategy is None:
            return None
        now_ms = round(time.time() * SECOND)
        asked = _retry_after(response.headers, now_ms)
        if isinstance(strategy, HeaderStrategy):
            reset = strategy.seconds(response.headers, now_ms)
            asked = asked if reset is None else reset
            backoff = strategy.backoff
        else:
            backoff = strategy
        if asked is None:
            return self._backoff(backoff)
        max_wait = self._settings.max_wait
        assert isinstance(max_wait, float)
        return asked if self._attempt < backoff.max_attempts and asked <= max_wait else None

    def after_error(self, error: httpx.TransportError) -> float | None:
        import httpx

        self._attempt += 1
        policy: object = False
        if isinstance(error, httpx.TimeoutException):
            policy = self._settings.timeout
        elif isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError | httpx.ProxyError):
            policy = self._settings.connection_error
        return self._backoff(policy) if isinstance(policy, RetryPolicy) else None

    def _backoff(self, policy: RetryPolicy) -> float | None:
        if self._attempt >= policy.max_attempts:
            return None
        return policy.delay_ms(self._attempt, randomness.random) / SECOND


def _retry_after(headers: Mapping[str, str], now_ms: int) -> float | None:
    """Seconds that the server asks to wait: RFC 9110's seconds or date, or some APIs' milliseconds."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / SECOND)
        text = headers.get("retry-after", "").strip()
        if text.isascii() and text.replace(".", "", 1).isdigit():
            return float(text)
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_ms / SECOND) if text else None
    except ValueError:
        return None


@cache
def _tls() -> ssl.SSLContext:
    """Loading the certificates takes longer than a local request; they are loaded once."""
    import httpx

    return httpx.create_ssl_context()


async def fetch(
    url: str | httpx.URL, *, client: httpx.AsyncClient | None = None, **options: Unpack[RequestOptions]
) -> httpx.Response:
    """The request of `retry.fetch`, which describes it."""
    import httpx

    exchange = _Exchange(url, **options)
    lasting = nullcontext(client) if client else httpx.AsyncClient(follow_redirects=True, verify=_tls())
    async with lasting as http:
        while True:
            try:
                response = await http.request(**exchange.request)
            except httpx.TransportError as error:
                seconds = exchange.after_error(error)
                if seconds is None:
                    raise
            else:
                seconds = exchange.after_response(response)
                if seconds is None:
                    return response
            await pause.sleep(seconds)


def fetch_sync(
    url: str | httpx.URL, *, client: httpx.Client | None = None, **options: Unpack[RequestOptions]
) -> httpx.Response:
    """The request of `retry.sync.fetch`: as `fetch`, blocking."""
    import httpx

    exchange = _Exchange(url, **options)
    lasting = nullcontext(client) if client else httpx.Client(follow_redirects=True, verify=_tls())
    with lasting as http:
        while True:
            try:
                response = http.request(**exchange.request)
            except httpx.TransportError as error:
                seconds = exchange.after_error(error)
                if seconds is None:
                    raise
            else:
                seconds = exchange.after_response(response)
                if seconds is None:
                    return response
            pause.sleep_sync(seconds)
