"""Public tokens and logging in of a client, blocking and awaited."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.account_views import DeviceLogin, DeviceToken, LoginDecision, PublicToken
from ..model.duration import Duration
from ..model.transport import Transport
from . import account_calls as calls

__all__ = ["AsyncAuthResource", "AuthResource"]


class AuthResource:
    """Public tokens, and logging in by a code."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create_public_token(self, scopes: str | Sequence[str], *, expires_in: Duration | None = None) -> PublicToken:
        """Make a public token: signed, for single things of this environment, short-lived, so that a browser may
        hold it.

        Parameters:
          scopes: each with the one thing that it is for: ``runs:read:RUN``, ``runs:read:tag=user-7``,
            ``batches:read:BATCH``, ``streams:read:RUN``, ``tokens:write:TOKEN``, ``tasks:write:TASK``.
          expires_in: a length of time, in seconds or as text: 15 minutes when None, at most 30 days.

        Errors: `InvalidOptions`; `Forbidden` for a scope that this key does not have.
        """
        return calls.create_public_token(scopes, expires_in).ask(self._transport)

    def start_login(self, client: str = "") -> DeviceLogin:
        """Begin to log in: show the `user_code` to a person, and ask `fetch_login` with the `device_code` every
        `interval` seconds. Needs no key.

        Parameters:
          client: what asks, as the person will read it, such as ``detent on laptop``.
        """
        return calls.start_login(client).ask(self._transport)

    def fetch_login(self, device_code: str) -> DeviceToken:
        """Ask whether a person has decided: ``pending``, ``denied``, or ``approved`` with the key, once. Needs no key.
        Errors: `NotFound` when the log-in is over."""
        return calls.fetch_login(device_code).ask(self._transport)

    def approve_login(self, code: str, *, email: str | None = None, deny: bool = False) -> LoginDecision:
        """Let whoever shows this code log in, as oneself.

        Parameters:
          email: as whom, where the server's own key is used; as the one owner when None. `deny`: refuse it instead.

        Errors: `NotFound` for a code that does not wait; `Forbidden` for the key of an environment.
        """
        return calls.approve_login(code, email, deny).ask(self._transport)


class AsyncAuthResource:
    """Public tokens, and logging in by a code."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create_public_token(
        self, scopes: str | Sequence[str], *, expires_in: Duration | None = None
    ) -> PublicToken:
        """Make a public token: signed, for single things of this environment, short-lived, so that a browser may
        hold it.

        Parameters:
          scopes: each with the one thing that it is for: ``runs:read:RUN``, ``runs:read:tag=user-7``,
            ``batches:read:BATCH``, ``streams:read:RUN``, ``tokens:write:TOKEN``, ``tasks:write:TASK``.
          expires_in: a length of time, in seconds or as text: 15 minutes when None, at most 30 days.

        Errors: `InvalidOptions`; `Forbidden` for a scope that this key does not have.
        """
        return await calls.create_public_token(scopes, expires_in).ask_async(self._transport)

    async def start_login(self, client: str = "") -> DeviceLogin:
        """Begin to log in: show the `user_code` to a person, and ask `fetch_login` with the `device_code` every
        `interval` seconds. Needs no key.

        Parameters:
          client: what asks, as the person will read it, such as ``detent on laptop``.
        """
        return await calls.start_login(client).ask_async(self._transport)

    async def fetch_login(self, device_code: str) -> DeviceToken:
        """Ask whether a person has decided: ``pending``, ``denied``, or ``approved`` with the key, once. Needs no key.
        Errors: `NotFound` when the log-in is over."""
        return await calls.fetch_login(device_code).ask_async(self._transport)

    async def approve_login(self, code: str, *, email: str | None = None, deny: bool = False) -> LoginDecision:
        """Let whoever shows this code log in, as oneself.

        Parameters:
          email: as whom, where the server's own key is used; as the one owner when None. `deny`: refuse it instead.

        Errors: `NotFound` for a code that does not wait; `Forbidden` for the key of an environment.
        """
        return await calls.approve_login(code, email, deny).ask_async(self._transport)
