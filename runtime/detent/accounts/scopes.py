"""What keys may do: scopes such as ``runs:read``, and the roles that stand for many of them.

A scope is ``RESOURCE:ACTION``; the action is ``read`` or ``write``, and ``write`` does not imply ``read``. A star
stands for every resource or action. A public token's scope may have a third part, the one thing that it is for:
``runs:read:run_…``, ``runs:read:tag=user-7``, ``tokens:write:waitpoint_…``, ``tasks:write:TASK``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..errors import InvalidOptions, near_names

__all__ = ["KEY", "OF_ENVIRONMENT", "PUBLIC", "ROLES", "check_scopes", "covers"]

#: What belongs to an environment; each may be read and written.
OF_ENVIRONMENT = frozenset(
    {
        "alerts", "batches", "bulk", "deployments", "diagnosis", "envvars", "errors", "logs", "metrics", "query",
        "queues", "report", "runs", "schedules", "streams", "tasks", "tokens", "workers",
    }
)  # fmt: skip
#: What a key of an environment may do.
KEY = frozenset({*(f"{name}:*" for name in OF_ENVIRONMENT), "environments:read", "projects:read", "orgs:read"})
#: What a public token may be for: resource and action, and what its third part names.
PUBLIC = {
    "runs:read": "a run, or tag=TAG",
    "batches:read": "a batch",
    "streams:read": "a run",
    "streams:write": "a run",
    "tasks:write": "a task",
    "tokens:read": "a token",
    "tokens:write": "a token",
}

ROLES: dict[str, frozenset[str]] = {
    "owner": frozenset({"*:*"}),
    "admin": frozenset({"*:*"}),
    "developer": frozenset(
        {*(f"{name}:*" for name in OF_ENVIRONMENT), "environments:*", "projects:read", "orgs:read", "keys:read"}
    ),
    "viewer": frozenset(
        {*(f"{name}:read" for name in OF_ENVIRONMENT - {"envvars"}), "environments:read", "projects:read", "orgs:read"}
    ),
}  # fmt: skip


def _fits(scope: str, wanted: str) -> bool:
    """Whether `scope`, which may hold stars, allows `wanted`, such as ``runs:read``."""
    resource, _, action = scope.partition(":")
    wanted_resource, _, wanted_action = wanted.partition(":")
    return resource in ("*", wanted_resource) and action in ("*", wanted_action)


def covers(scopes: Iterable[str], wanted: str) -> bool:
    """Whether any of `scopes` allows `wanted`."""
    return any(_fits(scope, wanted) for scope in scopes)


def check_scopes(scopes: Collection[str]) -> tuple[str, ...]:
    """The scopes for a new key. Errors: `InvalidOptions`."""
    resources = sorted(OF_ENVIRONMENT | {"*"})
    for scope in scopes:
        resource, separator, action = scope.partition(":")
        if not separator or action not in ("read", "write", "*"):
            raise InvalidOptions(f"a scope is RESOURCE:read, RESOURCE:write or RESOURCE:*, got {scope!r}")
        if resource not in resources:
            raise InvalidOptions(near_names("resource", resource, resources))
    if not scopes:
        raise InvalidOptions("a key needs at least one scope; leave scopes out for all that a key may have")
    return tuple(dict.fromkeys(scopes))
