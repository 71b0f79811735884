"""`envvars`: the environment variables of the default client's environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..client.variables import AsyncVariablesResource, VariablesResource

    class SyncEnvvars(VariablesResource):
        """The variables of the default client, blocking."""

    class Envvars(AsyncVariablesResource):
        """The variables of the default client."""

        sync: SyncEnvvars

else:

    class SyncEnvvars:
        """The variables of the default client, blocking; see `detent.client.Detent.envvars`."""

        def __getattr__(self, name: str) -> Any:
            from ..client import Detent

            return getattr(Detent().envvars, name)

    class Envvars:
        """The variables of the default client: ``await envvars.list()``; see `detent.client.AsyncDetent.envvars`."""

        sync = SyncEnvvars()

        def __getattr__(self, name: str) -> Any:
            from ..client import AsyncDetent

            return getattr(AsyncDetent().envvars, name)


__all__ = ["Envvars", "SyncEnvvars", "envvars"]

envvars: Envvars = Envvars.__new__(Envvars)
