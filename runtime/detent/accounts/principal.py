"""Who asks: the holder of a key, and what the key allows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..errors import Forbidden
from .scopes import covers

__all__ = ["Principal", "local_owner"]


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a key, for one request.

    `kind`: ``local`` (the owner of an embedded server), ``key`` (of an environment), ``personal`` or ``public``.
    `env` is the environment that the request is about: the key's own, or, of a personal or local key, the one that the
    request names. `objects` are the scopes of a public token that are for one thing, by scope. `subject` names the
    person.
    """

    kind: str
    env: str
    env_name: str
    project_id: str
    org_id: str
    scopes: frozenset[str]
    key_id: str = ""
    objects: frozenset[tuple[str, str]] = frozenset()
    person_id: str | None = None
    role: str | None = None

    def may(self, scope: str) -> bool:
        """Whether the key allows `scope` for everything in reach."""
        return covers(self.scopes, scope)

    def things(self, scope: str) -> Collection[str]:
        """The single things for which a public token allows `scope`."""
        return [thing for allowed, thing in self.objects if allowed == scope]

    def require(self, scope: str) -> None:
        """Errors: `Forbidden` with the scope that is missing."""
        if not self.may(scope):
            raise Forbidden(f"this key does not have the scope {scope}; use a key that has it, or ask an admin for one")


def local_owner(env: str = "dev", project_id: str = "", org_id: str = "", key_id: str = "local") -> Principal:
    """Whoever can read the project's own folder: they may do everything."""
    return Principal("local", env, env, project_id, org_id, frozenset({"*:*"}), key_id, role="owner")
