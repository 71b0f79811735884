"""Who asks: the holder of a key, and what the key allows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..errors import Forbidden
from .scopes import covers

__all__ = ["Principal"]


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a key, for one request.

    `kind`: ``local`` (the owner of an embedded server), ``key`` (of an environment), ``personal`` or ``public``.
    `env` is the environment that the request is about: the key's own, or, of a personal or local key, the one that the
    request names. `limits`: sets of scopes; what is allowed is in each of them. `things`: of a public token, its scopes
    with the one thing that each is for.
    """

    kind: str
    key_id: str
    env: str = ""
    env_name: str = ""
    project_id: str = ""
    org_id: str = ""
    limits: tuple[frozenset[str], ...] = ()
    things: frozenset[tuple[str, str]] = frozenset()
    person_id: str | None = None
    role: str | None = None

    def may(self, scope: str) -> bool:
        """Whether the key allows `scope`, such as ``runs:read``, for everything in its environment."""
        return bool(self.limits) and all(covers(scopes, scope) for scopes in self.limits)

    def things_for(self, scope: str) -> Collection[str]:
        """The single things for which a public token allows `scope`."""
        return [thing for allowed, thing in self.things if allowed == scope]

    def require(self, scope: str) -> None:
        """Errors: `Forbidden` with the scope that is missing."""
        if not self.may(scope):
            raise Forbidden(f"this key does not have the scope {scope}; use a key that has it, or ask an admin for one")
