"""Servers on other hosts that nobody need know a password for."""

from __future__ import annotations

from collections.abc import Iterator

from ..config import Config
from ..open_servers import is_open
from .finding import Finding, failed, shown, warning

__all__ = ["check_password"]


def check_password(about: str, url: str, setting: str, config: Config) -> Iterator[Finding]:
    """A finding where the server at `url` is open; `about` is the first part of its name."""
    if not is_open(url):
        return
    told = f"{shown(url)} is on another host and asks for no password: whoever reaches it may change what detent does"
    advice = f"set a password there and in {setting}"
    if config.allow_insecure:
        yield warning(f"{about}.password", f"{told}; it is allowed by allow_insecure", advice)
    else:
        yield failed(
            f"{about}.password", told, f"{advice}, or DETENT_ALLOW_INSECURE=1 where the network keeps others out"
        )
