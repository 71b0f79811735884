"""Which transport a client uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InvalidOptions
from ..model.transport import Transport

if TYPE_CHECKING:
    from .http import HttpTransport

__all__ = ["choose"]


def choose(
    transport: Transport | None, api_url: str | None, secret_key: str | None
) -> tuple[Transport, HttpTransport | None]:
    """The transport, and the same when it belongs to the client alone, which then closes it."""
    if transport is not None:
        if api_url is not None or secret_key is not None:
            raise InvalidOptions("pass either a transport, or api_url with secret_key, not both")
        return transport, None
    if api_url is not None:
        from .http import HttpTransport

        own = HttpTransport(api_url, secret_key)
        return own, own
    if secret_key is not None:
        raise InvalidOptions("secret_key was given without api_url; pass the server's address too")
    from ..connection import default_transport

    return default_transport(), None
