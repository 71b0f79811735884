"""The one place that chooses how calls reach an engine.

The transport that `using` has set. Inside a run the connection of its worker. Else the server that `configure` or
``DETENT_API_URL`` names. Else the project's own engine: embedded in this process, or, while another process holds the
project (`detent dev`, `detent server`), that process by HTTP.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Protocol, Unpack

from .model.transport import Transport
from .sdk.current import current_run

if TYPE_CHECKING:
    from .client.http import HttpTransport
    from .client.http_options import HttpOptions
    from .config import Config
    from .embedded import ProjectTransport

__all__ = ["configure", "default_transport", "forget_connections", "is_overridden", "transport_of", "using"]

_here: ContextVar[Transport | None] = ContextVar("detent_transport", default=None)
_lock = Lock()
_cached: dict[tuple[object, ...], Transport] = {}
_of_parents: list[dict[tuple[object, ...], Transport]] = []


class _Everywhere:
    """The transport that `using(..., everywhere=True)` has set."""

    transport: Transport | None = None
    #: What `configure` has made.
    configured: Transport | None = None


class _Client(Protocol):
    @property
    def transport(self) -> Transport: ...


def configure(
    *,
    api_url: str | None = None,
    secret_key: str | None = None,
    project: str | None = None,
    environment: str | None = None,
    **http: Unpack[HttpOptions],
) -> None:
    """Choose the server that the default client reaches from now on, in this process: that of ``tasks``, ``runs``,
    ``Detent()`` and so on. Inside a run they go on using the connection of its worker.

    Parameters:
      api_url: its address; None for what the surroundings say, as before any call of this.
      secret_key, project, environment, http: as of `Detent`.

    Errors: `ConfigError`, `InvalidOptions`.
    """
    from .client.transports import choose

    _, own = choose(None, api_url, secret_key, project, environment, **http)
    before, _Everywhere.configured = _Everywhere.configured, own
    if before is not None:
        before.close()


def is_overridden() -> bool:
    """Whether `using` says where calls go, also inside a run."""
    return _here.get() is not None


@contextmanager
def using(target: Transport | _Client, *, everywhere: bool = False) -> Iterator[Transport]:
    """Within the block, calls go to `target`: triggers, ``runs``, ``queues``, ``Detent()`` ..., also inside a run.

    Parameters:
      target: a `Detent`, an `AsyncDetent`, or a transport.
      everywhere: also in threads and tasks that do not carry the context on, but not inside runs.
    """
    transport: Transport = getattr(target, "transport", target)  # type: ignore[arg-type]  # one of the two
    if everywhere:
        before, _Everywhere.transport = _Everywhere.transport, transport
        try:
            yield transport
        finally:
            _Everywhere.transport = before
        return
    token = _here.set(transport)
    try:
        yield transport
    finally:
        _here.reset(token)


def default_transport() -> Transport:
    """The transport for calls made here. Kept for the whole process; a forked process makes its own.

    Errors: `ConfigError`; `StoreError`.
    """
    transport = _here.get()
    if transport is not None:
        return transport
    run = current_run.get()
    if run is not None:
        return run.transport
    if _Everywhere.transport is not None:
        return _Everywhere.transport
    if _Everywhere.configured is not None:
        return _Everywhere.configured
    surroundings = _surroundings()
    with _lock:
        transport = _cached.get(surroundings)
        if transport is None:
            transport = _cached[surroundings] = _choose()
        return transport


def forget_connections() -> None:
    """Close and forget the transports that `default_transport` keeps."""
    with _lock:
        kept = [transport for key, transport in _cached.items() if key[0] == os.getpid()]
        _cached.clear()
    for transport in kept:
        transport.close()


def _surroundings() -> tuple[object, ...]:
    """What the choice depends on, cheap to compare: the process, the folder, detent's variables."""
    settings = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("DETENT_")))
    try:
        folder = os.getcwd()  # noqa: PTH109  # the text is enough, and this runs for every call
    except FileNotFoundError:
        folder = ""
    return (os.getpid(), folder, settings)


def _choose() -> Transport:
    from .config import load_config

    return transport_of(load_config())


def transport_of(config: Config) -> HttpTransport | ProjectTransport:
    """A new transport to the server or the project that the settings name. Errors: `ConfigError`; `StoreError`."""
    if config.api_url is not None:
        from .client.http import HttpTransport

        return HttpTransport(
            config.api_url,
            config.secret_key,
            project=config.project_slug,
            environment=config.environment,
            folder_project=config.slug,
        )
    from .embedded import ProjectTransport

    return ProjectTransport(config)


def _after_fork() -> None:
    """The child of a fork must not use its parent's connections, nor a lock that some thread of the parent
    held."""
    global _lock  # noqa: PLW0603  # a lock can only be replaced
    _lock = Lock()
    # Kept, not collected: to close a database here would disturb the parent's.
    _of_parents.append(dict(_cached))
    _cached.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
