"""Which transport a client uses."""

from __future__ import annotations

from ..errors import InvalidOptions
from ..model.transport import Transport

__all__ = ["choose"]


def choose(
    transport: Transport | None, api_url: str | None, secret_key: str | None
) -> tuple[Transport, bool]:
    """The transport, and whether it belongs to the client alone, which then closes it."""
    if transport is not None:
        if api_url is not None or secret_key is not None:
            raise InvalidOptions("pass either a transport, or api_url with secret_key, not both")
        return transport, False
    if api_url is not None:
        from .http import HttpTransport

        return HttpTransport(api_url, secret_key), True
    if secret_key is not None:
        raise InvalidOptions("secret_key was given without api_url; pass the server's address too")
    from ..connection import default_transport

    return default_transport(), False
