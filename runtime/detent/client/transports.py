"""Which transport a client uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from ..errors import InvalidOptions
from ..model.transport import Transport
from .http_options import HttpOptions

if TYPE_CHECKING:
    from .http import HttpTransport

__all__ = ["choose"]


def choose(
    transport: Transport | None, api_url: str | None, secret_key: str | None, **http: Unpack[HttpOptions]
) -> tuple[Transport, HttpTransport | None]:
    """The transport, and the same when it belongs to the client alone, which then closes it.

    Errors: `InvalidOptions` for what does not fit together; `ConfigError`.
    """
    by_http = secret_key is not None or bool(http)
    if transport is not None:
        if api_url is not None or by_http:
            raise InvalidOptions("pass either a transport, or api_url with secret_key and HTTP options, not both")
        return transport, None
    if api_url is None and by_http:
        from ..config import load_config

        api_url = load_config().api_url
        if api_url is None:
            given = "secret_key" if secret_key is not None else next(iter(http))
            raise InvalidOptions(f"{given} was given without api_url; pass the server's address too")
    if api_url is not None:
        from .http import HttpTransport

        own = HttpTransport(api_url, secret_key, **http)
        return own, own
    from ..connection import default_transport

    return default_transport(), None
