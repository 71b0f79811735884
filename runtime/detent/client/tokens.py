"""The tokens of a client, blocking and awaited."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..model.duration import Duration, When
from ..model.transport import Transport
from ..model.views import TokenDetail, TokenPage
from .pages import AsyncTokens, Tokens
from .token_calls import complete_token, create_token, list_tokens, retrieve_token, token_filters

__all__ = ["AsyncTokensResource", "TokensResource"]


class TokensResource:
    """Tokens: something that runs wait for, and that anybody can complete."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        *,
        timeout: When | None = None,
        tags: str | Sequence[str] | None = None,
        idempotency_key: str | Sequence[str] | None = None,
        idempotency_key_ttl: Duration | None = None,
    ) -> TokenDetail:
        """Make a token that runs can wait for, and hand out its `url` or its id. It is durable when this
        returns.

        Parameters:
          timeout: when it times out: a length of time from now, or a moment (an aware `datetime` or ISO-8601
            text); None: it waits for ever.
          tags: at most 10 texts of 1 to 128 characters, to find it by.
          idempotency_key: a second call with this key finds the first token, whatever became of it
            (`is_cached`); `idempotency_key_ttl` is how long, 30 days unless set.

        Errors: `InvalidOptions`.
        """
        return create_token(timeout, tags, idempotency_key, idempotency_key_ttl).ask(self._transport)

    def complete(self, token_id: str, output: Any = None) -> TokenDetail:
        """Complete a token: the runs that wait for it go on with `output`. The first completion counts.

        Parameters:
          output: a JSON value, or what Pydantic writes as one, of at most 10 MiB.

        Errors: `NotFound`; `Conflict` with the outcome when it was completed before or has timed out;
        `LimitExceeded`, `Unserializable`.
        """
        return complete_token(token_id, output).ask(self._transport)

    def retrieve(self, token_id: str) -> TokenDetail:
        """All that is known of a token, with its output when it is completed. Errors: `NotFound`."""
        return retrieve_token(token_id).ask(self._transport)

    def list(
        self,
        *,
        status: str | Iterable[str] | None = None,
        tag: str | Iterable[str] | None = None,
        idempotency_key: str | Sequence[str] | None = None,
        limit: int = 25,
        cursor: str | None = None,
    ) -> Tokens:
        """Tokens, newest first, without their outputs. Iterate over it: further pages are fetched as needed.

        Parameters:
          status: ``WAITING``, ``COMPLETED``, ``TIMED_OUT``. `tag`: likewise one, or several of which one must
            fit. `idempotency_key`: the key that found or made it.
          limit: tokens of a page, 1 to 100. `cursor`: where to go on, from `TokenPage.next_cursor`.
        """
        filters = token_filters(status, tag, idempotency_key, limit)

        def fetch(where: str | None) -> TokenPage:
            return list_tokens(filters, where).ask(self._transport)

        return Tokens(fetch, cursor)


class AsyncTokensResource:
    """Tokens: something that runs wait for, and that anybody can complete."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self,
        *,
        timeout: When | None = None,  # noqa: ASYNC109  # of the token, not of the call
        tags: str | Sequence[str] | None = None,
        idempotency_key: str | Sequence[str] | None = None,
        idempotency_key_ttl: Duration | None = None,
    ) -> TokenDetail:
        """Make a token that runs can wait for, and hand out its `url` or its id. It is durable when this
        returns.

        Parameters:
          timeout: when it times out: a length of time from now, or a moment (an aware `datetime` or ISO-8601
            text); None: it waits for ever.
          tags: at most 10 texts of 1 to 128 characters, to find it by.
          idempotency_key: a second call with this key finds the first token, whatever became of it
            (`is_cached`); `idempotency_key_ttl` is how long, 30 days unless set.

        Errors: `InvalidOptions`.
        """
        return await create_token(timeout, tags, idempotency_key, idempotency_key_ttl).ask_async(self._transport)

    async def complete(self, token_id: str, output: Any = None) -> TokenDetail:
        """Complete a token: the runs that wait for it go on with `output`. The first completion counts.

        Parameters:
          output: a JSON value, or what Pydantic writes as one, of at most 10 MiB.

        Errors: `NotFound`; `Conflict` with the outcome when it was completed before or has timed out;
        `LimitExceeded`, `Unserializable`.
        """
        return await complete_token(token_id, output).ask_async(self._transport)

    async def retrieve(self, token_id: str) -> TokenDetail:
        """All that is known of a token, with its output when it is completed. Errors: `NotFound`."""
        return await retrieve_token(token_id).ask_async(self._transport)

    def list(
        self,
        *,
        status: str | Iterable[str] | None = None,
        tag: str | Iterable[str] | None = None,
        idempotency_key: str | Sequence[str] | None = None,
        limit: int = 25,
        cursor: str | None = None,
    ) -> AsyncTokens:
        """Tokens, newest first, without their outputs. Iterate over it: further pages are fetched as needed.

        Parameters:
          status: ``WAITING``, ``COMPLETED``, ``TIMED_OUT``. `tag`: likewise one, or several of which one must
            fit. `idempotency_key`: the key that found or made it.
          limit: tokens of a page, 1 to 100. `cursor`: where to go on, from `TokenPage.next_cursor`.
        """
        filters = token_filters(status, tag, idempotency_key, limit)

        async def fetch(where: str | None) -> TokenPage:
            return await list_tokens(filters, where).ask_async(self._transport)

        return AsyncTokens(fetch, cursor)
