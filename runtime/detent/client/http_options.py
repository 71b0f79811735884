"""How requests are sent, as callers may choose it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpOptions"]


class HttpOptions(TypedDict, total=False):
    """What a client of a server can be given besides address and key.

    - ``timeout``: seconds to wait for an answer (30 unless set), or an `httpx.Timeout`.
    - ``max_retries``: how often a request that is safe to repeat is sent again, 3 unless set.
    - ``proxy``: address of a proxy, such as ``http://proxy:3128``; without it those of the surroundings are used
      (``HTTPS_PROXY`` ...), for other machines only.
    - ``headers``: sent with each request.
    - ``http_transport``: an `httpx.BaseTransport` for blocking calls, or an `httpx.AsyncBaseTransport` for those of one
      event loop: for tests, and for certificates of one's own (``httpx.HTTPTransport(verify=..., cert=...)``).
    """

    timeout: float | httpx.Timeout
    max_retries: int
    proxy: str | httpx.Proxy | None
    headers: Mapping[str, str] | None
    http_transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None
