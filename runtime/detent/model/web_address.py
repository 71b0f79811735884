"""Addresses of the web that users give us to send requests to."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..errors import InvalidOptions

__all__ = ["check_url"]

_MOST_CHARS = 2_048


def check_url(url: object, name: str) -> str:
    """`url`, when a request can be made of it: http or https, a host, no user and password, no fragment.

    Errors: `InvalidOptions` that begins with `name`. Where the host leads to is another question.
    """
    told = f"{name} must be an address such as https://example.com/hook"
    if not isinstance(url, str) or len(url) > _MOST_CHARS or any(ord(char) <= 32 or char == "\\" for char in url):
        raise InvalidOptions(f"{told}, of at most {_MOST_CHARS:,} characters and without blanks")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises for what is no port
    except ValueError as error:
        raise InvalidOptions(f"{told}: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidOptions(f"{told}, got the scheme {parts.scheme!r} and the host {parts.hostname!r}")
    if "@" in parts.netloc or parts.fragment:
        raise InvalidOptions(f"{told}, without a user, a password or a fragment")
    return url
