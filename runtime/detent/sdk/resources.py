"""The resources of the default client, from any process: ``await runs.retrieve(id)``, ``queues.sync.pause(name)``.

A resource of the clients comes along by its line in both halves below, and one in `detent/__init__.py` and `sync.py`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

__all__ = ["alerts", "auth", "batches", "envvars", "error_groups", "logs", "queues", "runs", "tokens"]

if TYPE_CHECKING:
    from ..client.alerts import AlertsResource, AsyncAlertsResource
    from ..client.async_detent import AsyncRunsResource
    from ..client.auth import AsyncAuthResource, AuthResource
    from ..client.batches import AsyncBatchesResource, BatchesResource
    from ..client.detent import RunsResource
    from ..client.errors import AsyncErrorsResource, ErrorsResource
    from ..client.logs import AsyncLogsResource, LogsResource
    from ..client.queues import AsyncQueuesResource, QueuesResource
    from ..client.tokens import AsyncTokensResource, TokensResource
    from ..client.variables import AsyncVariablesResource, VariablesResource

    class Runs(AsyncRunsResource):
        sync: RunsResource

    class Queues(AsyncQueuesResource):
        sync: QueuesResource

    class Tokens(AsyncTokensResource):
        sync: TokensResource

    class Logs(AsyncLogsResource):
        sync: LogsResource

    class ErrorGroups(AsyncErrorsResource):
        sync: ErrorsResource

    class Alerts(AsyncAlertsResource):
        sync: AlertsResource

    class Auth(AsyncAuthResource):
        sync: AuthResource

    class Batches(AsyncBatchesResource):
        sync: BatchesResource

    class Variables(AsyncVariablesResource):
        sync: VariablesResource

    runs: Runs
    queues: Queues
    tokens: Tokens
    logs: Logs
    error_groups: ErrorGroups
    envvars: Variables
    alerts: Alerts
    auth: Auth
    batches: Batches

else:

    class Blocking:
        """A resource of the default `detent.client.Detent`, which is loaded at first use."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, name: str) -> Any:
            return getattr(getattr(_blocking(), self._name), name)

        def __repr__(self) -> str:
            return f"<{self._name} of the default client>"

    class Awaited(Blocking):
        """A resource of the default `detent.client.AsyncDetent`; `sync` is its blocking twin."""

        def __init__(self, name: str) -> None:
            super().__init__(name)
            self.sync = Blocking(name)

        def __getattr__(self, name: str) -> Any:
            return getattr(getattr(_awaited(), self._name), name)

    runs = Awaited("runs")
    queues = Awaited("queues")
    tokens = Awaited("tokens")
    logs = Awaited("logs")
    error_groups = Awaited("errors")
    envvars = Awaited("envvars")
    alerts = Awaited("alerts")
    auth = Awaited("auth")
    batches = Awaited("batches")


@cache
def _blocking() -> Any:
    from ..client import Detent

    return Detent()


@cache
def _awaited() -> Any:
    from ..client import AsyncDetent

    return AsyncDetent()
