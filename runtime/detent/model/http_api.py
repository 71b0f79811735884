"""The HTTP API as data: one route for each operation, and the bodies of triggers. Clients and servers
share it."""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec import Raw, Struct, field

from .limits import OUTPUT_BYTES, PAYLOAD_BYTES
from .protocol import Handle, NewRun

__all__ = [
    "BATCH_BODY_BYTES",
    "BODY_BYTES",
    "CALLBACK_BYTES",
    "ROUTES",
    "TOKEN_CALLBACK",
    "TRIGGER_BATCH",
    "TRIGGER_TASK",
    "BatchBody",
    "BatchMade",
    "Route",
    "TriggerBody",
]

#: Largest body of a request: the largest payload, and the envelope around it.
BODY_BYTES = PAYLOAD_BYTES + 512 * 1024
#: Largest body of a batch, whose items share it.
BATCH_BODY_BYTES = 32 * 1024 * 1024
#: Largest body that a callback of a token takes.
CALLBACK_BYTES = 3 * 1024 * 1024

TRIGGER_TASK = "/api/v1/tasks/{id}/trigger"
TRIGGER_BATCH = "/api/v1/tasks/batch"
#: Completes a token without a key: the digest in the address is the right to do so.
TOKEN_CALLBACK = "/api/v1/waitpoints/tokens/{id}/callback/{digest}"  # noqa: S105  # an address


class Route(NamedTuple):
    """Where an operation is found, and what a key needs for it.

    `scope` is what the key must allow: ``RESOURCE:read`` or ``RESOURCE:write``; ``public`` needs no key. Values that
    `path` does not name go into the query (GET) or the body (POST, PUT, DELETE), of at most `body_bytes`. `repeatable`:
    done again with the same values it changes nothing.
    """

    method: str
    path: str
    scope: str
    repeatable: bool = False
    body_bytes: int = BODY_BYTES


#: By the name of the operation, see `engine/operations.py`.
ROUTES: dict[str, Route] = {
    "health": Route("GET", "/health", "public"),
    "runs.list": Route("GET", "/api/v1/runs", "runs:read"),
    "runs.retrieve": Route("GET", "/api/v1/runs/{id}", "runs:read"),
    "runs.cancel": Route("POST", "/api/v1/runs/{id}/cancel", "runs:write"),
    "runs.replay": Route("POST", "/api/v1/runs/{id}/replay", "runs:write"),
    "runs.fork": Route("POST", "/api/v1/runs/{id}/fork", "runs:write"),
    "runs.resume": Route("POST", "/api/v1/runs/{id}/resume", "runs:write"),
    "runs.journal": Route("GET", "/api/v1/runs/{id}/journal", "runs:read"),
    "runs.result": Route("GET", "/api/v1/runs/{id}/result", "runs:read"),
    "runs.events": Route("GET", "/api/v1/runs/{id}/events", "runs:read"),
    "runs.trace": Route("GET", "/api/v1/runs/{id}/trace", "runs:read"),
    "runs.logs": Route("GET", "/api/v1/runs/{id}/logs", "runs:read"),
    "runs.children": Route("GET", "/api/v1/runs/{id}/children", "runs:read"),
    "tasks.list": Route("GET", "/api/v1/tasks", "tasks:read"),
    "tasks.retrieve": Route("GET", "/api/v1/tasks/{id}", "tasks:read"),
    "queues.list": Route("GET", "/api/v1/queues", "queues:read"),
    "tokens.list": Route("GET", "/api/v1/waitpoints/tokens", "tokens:read"),
    "tokens.retrieve": Route("GET", "/api/v1/waitpoints/tokens/{id}", "tokens:read"),
    "tokens.create": Route("POST", "/api/v1/waitpoints/tokens", "tokens:write", repeatable=True),
    "tokens.complete": Route(
        "POST",
        "/api/v1/waitpoints/tokens/{id}/complete",
        "tokens:write",
        repeatable=True,
        body_bytes=OUTPUT_BYTES + 512 * 1024,
    ),
}


class TriggerBody(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """Body of a trigger, and item of a batch.

    `options` are those of `model.options.TriggerOptions`; detent's own clients, which have checked them,
    send the finished `run` instead, whose payload stands in `payload`. `task` is needed in a batch only.
    """

    payload: Raw = field(default_factory=lambda: Raw(b"null"))
    options: dict[str, Any] | None = None
    task: str | None = None
    run: NewRun | None = None


class BatchBody(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """Body of a batch: runs of any tasks, made all or none. `id` lets it be sent again."""

    items: list[TriggerBody]
    id: str | None = None


class BatchMade(Struct):
    """Answer to a batch: its id, and the runs in the order of the items."""

    id: str | None
    runs: list[Handle]
