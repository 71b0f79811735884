"""The HTTP API as data: one route for each operation, and the bodies of triggers. Clients and servers
share it."""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec import Raw, Struct, field

from .limits import INPUT_BYTES, OUTPUT_BYTES, PAYLOAD_BYTES
from .protocol import Handle, NewRun

__all__ = [
    "BATCH_BODY_BYTES",
    "BODY_BYTES",
    "BUNDLE",
    "CALLBACK_BYTES",
    "MANIFEST_BYTES",
    "OBJECT_LINK",
    "OPENAPI",
    "ROUTES",
    "TOKEN_CALLBACK",
    "TOLD_ONCE",
    "TRIGGER_BATCH",
    "TRIGGER_TASK",
    "WORKER_OBJECT",
    "BatchBody",
    "BatchMade",
    "Route",
    "TriggerBody",
]

#: Largest body of a request: the largest payload, and the envelope around it.
BODY_BYTES = PAYLOAD_BYTES + 512 * 1024
#: Largest body of a batch, whose items share it.
BATCH_BODY_BYTES = 32 * 1024 * 1024
#: Largest body of a deployment's manifest: schemas of many tasks.
MANIFEST_BYTES = 32 * 1024 * 1024
#: Largest body that a callback of a token takes.
CALLBACK_BYTES = 3 * 1024 * 1024

#: Where the description of the API is found.
OPENAPI = "/openapi.json"
#: Operations whose answers hold a key that is told once and kept nowhere: an ``Idempotency-Key`` has no effect there.
TOLD_ONCE = ("auth.", "environments.create", "keys.", "projects.initialize")
TRIGGER_TASK = "/api/v1/tasks/{id}/trigger"
TRIGGER_BATCH = "/api/v1/tasks/batch"
#: Completes a token without a key: the digest in the address is the right to do so.
TOKEN_CALLBACK = "/api/v1/waitpoints/tokens/{id}/callback/{digest}"  # noqa: S105  # an address

#: Reads a large object without a key: the signature in the query is the right to do so.
OBJECT_LINK = "/api/v1/objects/{key}"
#: Where the bundle of a version is, by its SHA-256.
BUNDLE = "/api/v1/bundles/{digest}"
#: Where a worker without access to the object store reads and writes what is large.
WORKER_OBJECT = "/api/v1/workers/objects/{key}"


class Route(NamedTuple):
    """Where an operation is found, and what a key needs for it.

    `scope` is what the key must allow: ``RESOURCE:read`` or ``RESOURCE:write``; ``any`` key will do, ``public`` needs
    none. Values that `path` does not name go into the query (GET) or the body (POST, PUT, DELETE), of at most
    `body_bytes`. `repeatable`: done again with the same values it changes nothing.

    `public_token`: a public token for the one thing that is asked about will do as well. What tells of the code or of
    the work behind it (journal, logs, trace) is for keys.

    `answer` names the view in `detent.model.*views` that a good answer, of `status`, fits; ``list[VIEW]`` is an object
    with `items`, ``any`` is any JSON, ``text`` is plain text, ``events`` is a stream of server-sent events.
    """

    method: str
    path: str
    scope: str
    repeatable: bool = False
    body_bytes: int = BODY_BYTES
    answer: str = ""
    status: int = 200
    public_token: bool = False


#: By the name of the operation, see `engine/operations.py`.
ROUTES: dict[str, Route] = {
    "deployments.list": Route("GET", "/api/v1/deployments", "deployments:read", answer="DeploymentPage"),
    "deployments.create": Route("POST", "/api/v1/deployments", "deployments:write", answer="Deployment"),
    "deployments.rollback": Route("POST", "/api/v1/deployments/rollback", "deployments:write", answer="Deployment"),
    "deployments.supervise": Route(
        "POST", "/api/v1/deployments/supervise", "workers:write", repeatable=True, answer="SupervisorOrders"
    ),
    "deployments.retrieve": Route("GET", "/api/v1/deployments/{id}", "deployments:read", answer="DeploymentDetail"),
    "deployments.log": Route("GET", "/api/v1/deployments/{id}/log", "deployments:read", answer="DeploymentLog"),
    "deployments.progress": Route(
        "POST", "/api/v1/deployments/{id}/progress", "deployments:write", answer="DeploymentProgress"
    ),
    "deployments.finalize": Route(
        "POST",
        "/api/v1/deployments/{id}/finalize",
        "deployments:write",
        repeatable=True,
        body_bytes=MANIFEST_BYTES,
        answer="Deployment",
    ),
    "deployments.fail": Route(
        "POST", "/api/v1/deployments/{id}/fail", "deployments:write", repeatable=True, answer="Deployment"
    ),
    "deployments.cancel": Route(
        "POST", "/api/v1/deployments/{id}/cancel", "deployments:write", repeatable=True, answer="Deployment"
    ),
    "deployments.promote": Route(
        "POST", "/api/v1/deployments/{id}/promote", "deployments:write", repeatable=True, answer="Deployment"
    ),
    "health": Route("GET", "/health", "any", answer="Health"),
    "auth.whoami": Route("GET", "/api/v1/whoami", "any", answer="WhoAmI", public_token=True),
    "auth.public_token": Route("POST", "/api/v1/auth/public-tokens", "any", answer="PublicToken"),
    "auth.device": Route("POST", "/api/v1/auth/device", "public", answer="DeviceLogin"),
    "auth.device_token": Route("POST", "/api/v1/auth/device/token", "public", answer="DeviceToken"),
    "auth.approve": Route("POST", "/api/v1/auth/device/approve", "any", answer="LoginDecision"),
    "orgs.list": Route("GET", "/api/v1/orgs", "orgs:read", answer="list[Organization]"),
    "orgs.create": Route("POST", "/api/v1/orgs", "any", answer="Organization"),
    "projects.list": Route("GET", "/api/v1/projects", "projects:read", answer="list[Project]"),
    "projects.create": Route("POST", "/api/v1/projects", "projects:write", answer="ProjectDetail"),
    "projects.initialize": Route("POST", "/api/v1/projects/initialize", "projects:read", answer="InitializedProject"),
    "projects.retrieve": Route("GET", "/api/v1/projects/{id}", "projects:read", answer="ProjectDetail"),
    "environments.list": Route("GET", "/api/v1/environments", "environments:read", answer="list[Environment]"),
    "environments.create": Route(
        "POST", "/api/v1/environments", "environments:write", repeatable=True, answer="NewEnvironment"
    ),
    "environments.archive": Route(
        "POST", "/api/v1/environments/{id}/archive", "environments:write", repeatable=True, answer="Archived"
    ),
    "keys.list": Route("GET", "/api/v1/keys", "keys:read", answer="list[ApiKey]"),
    "keys.create": Route("POST", "/api/v1/keys", "keys:write", answer="NewApiKey"),
    "keys.revoke": Route("POST", "/api/v1/keys/{id}/revoke", "keys:write", repeatable=True, answer="ApiKey"),
    "keys.rotate": Route("POST", "/api/v1/keys/{id}/rotate", "keys:write", answer="NewApiKey"),
    "people.list": Route("GET", "/api/v1/people", "people:read", answer="list[Person]"),
    "people.add": Route("POST", "/api/v1/people", "people:write", repeatable=True, answer="Person"),
    "people.remove": Route("DELETE", "/api/v1/people/{id}", "people:write", answer="PersonRemoved"),
    "ready": Route("GET", "/ready", "public", answer="Ready"),
    "report": Route("GET", "/api/v1/report", "report:read", answer="Report"),
    "metrics": Route("GET", "/metrics", "metrics:read", answer="text"),
    "runs.list": Route("GET", "/api/v1/runs", "runs:read", answer="RunPage", public_token=True),
    "runs.retrieve": Route("GET", "/api/v1/runs/{id}", "runs:read", answer="RunDetail", public_token=True),
    "runs.cancel": Route("POST", "/api/v1/runs/{id}/cancel", "runs:write", repeatable=True, answer="RunStatus"),
    "runs.reschedule": Route("POST", "/api/v1/runs/{id}/reschedule", "runs:write", answer="Rescheduled"),
    "runs.update_metadata": Route("PUT", "/api/v1/runs/{id}/metadata", "runs:write", answer="RunMetadata"),
    "runs.add_tags": Route("POST", "/api/v1/runs/{id}/tags", "runs:write", repeatable=True, answer="RunTags"),
    "idempotency.reset": Route(
        "POST", "/api/v1/idempotencyKeys/{id}/reset", "runs:write", repeatable=True, answer="KeyReset"
    ),
    "runs.replay": Route("POST", "/api/v1/runs/{id}/replay", "runs:write", repeatable=True, answer="TriggeredRun"),
    "runs.fork": Route("POST", "/api/v1/runs/{id}/fork", "runs:write", repeatable=True, answer="TriggeredRun"),
    "runs.resume": Route("POST", "/api/v1/runs/{id}/resume", "runs:write", answer="RunStatus"),
    "runs.journal": Route("GET", "/api/v1/runs/{id}/journal", "runs:read", answer="list[JournalEntry]"),
    "runs.result": Route("GET", "/api/v1/runs/{id}/result", "runs:read", answer="RunOutcome", public_token=True),
    "runs.events": Route("GET", "/api/v1/runs/{id}/events", "runs:read", answer="list[Event]"),
    "runs.trace": Route("GET", "/api/v1/runs/{id}/trace", "runs:read", answer="TraceSpan"),
    "runs.overview": Route("GET", "/api/v1/runs/{id}/overview", "runs:read", answer="RunOverview"),
    "runs.span": Route("GET", "/api/v1/runs/{id}/spans/{span}", "runs:read", answer="SpanDetail"),
    "runs.value": Route("GET", "/api/v1/runs/{id}/values/{name}", "runs:read", answer="RunValue"),
    "runs.logs": Route("GET", "/api/v1/runs/{id}/logs", "runs:read", answer="list[LogEntry]"),
    "runs.diagnosis": Route("GET", "/api/v1/runs/{id}/diagnosis", "diagnosis:read", answer="Diagnosis"),
    "runs.children": Route("GET", "/api/v1/runs/{id}/children", "runs:read", answer="list[ChildRun]"),
    "logs.search": Route("GET", "/api/v1/logs", "logs:read", answer="LogPage"),
    "query": Route("POST", "/api/v1/query", "query:read", repeatable=True, answer="QueryResult"),
    "query.schema": Route("GET", "/api/v1/query/schema", "query:read", answer="QuerySchema"),
    "tasks.list": Route("GET", "/api/v1/tasks", "tasks:read", answer="TaskList"),
    "tasks.retrieve": Route("GET", "/api/v1/tasks/{id}", "tasks:read", answer="TaskView"),
    "tasks.check": Route("POST", "/api/v1/tasks/{id}/check", "tasks:read", repeatable=True, answer="TriggerCheck"),
    "batches.list": Route("GET", "/api/v1/batches", "batches:read", answer="BatchPage"),
    "batches.retrieve": Route("GET", "/api/v1/batches/{id}", "batches:read", answer="BatchDetail"),
    "batches.results": Route("GET", "/api/v1/batches/{id}/results", "batches:read", answer="BatchResults"),
    "bulk.create": Route("POST", "/api/v1/bulk-actions", "runs:write", answer="BulkAction", status=202),
    "bulk.list": Route("GET", "/api/v1/bulk-actions", "runs:read", answer="BulkPage"),
    "bulk.retrieve": Route("GET", "/api/v1/bulk-actions/{id}", "runs:read", answer="BulkAction"),
    "bulk.abort": Route("POST", "/api/v1/bulk-actions/{id}/abort", "runs:write", True, answer="BulkAction"),
    "queues.list": Route("GET", "/api/v1/queues", "queues:read", answer="list[QueueView]"),
    "queues.keys": Route("GET", "/api/v1/queues/{id}/concurrencyKeys", "queues:read", answer="QueueKeyPage"),
    "queues.retrieve": Route("GET", "/api/v1/queues/{id}", "queues:read", answer="QueueView"),
    "queues.pause": Route("POST", "/api/v1/queues/{id}/pause", "queues:write", True, answer="QueueView"),
    "queues.resume": Route("POST", "/api/v1/queues/{id}/resume", "queues:write", True, answer="QueueView"),
    "queues.override": Route(
        "POST", "/api/v1/queues/{id}/concurrency/override", "queues:write", True, answer="QueueView"
    ),
    "queues.reset": Route("POST", "/api/v1/queues/{id}/concurrency/reset", "queues:write", True, answer="QueueView"),
    "schedules.list": Route("GET", "/api/v1/schedules", "schedules:read", answer="SchedulePage"),
    "schedules.create": Route("POST", "/api/v1/schedules", "schedules:write", repeatable=True, answer="ScheduleDetail"),
    "schedules.preview": Route("GET", "/api/v1/schedules/preview", "schedules:read", answer="SchedulePreview"),
    "schedules.retrieve": Route("GET", "/api/v1/schedules/{id}", "schedules:read", answer="ScheduleDetail"),
    "schedules.update": Route(
        "PUT", "/api/v1/schedules/{id}", "schedules:write", repeatable=True, answer="ScheduleDetail"
    ),
    "schedules.delete": Route("DELETE", "/api/v1/schedules/{id}", "schedules:write", answer="ScheduleDeleted"),
    "schedules.activate": Route(
        "POST", "/api/v1/schedules/{id}/activate", "schedules:write", repeatable=True, answer="ScheduleDetail"
    ),
    "schedules.deactivate": Route(
        "POST", "/api/v1/schedules/{id}/deactivate", "schedules:write", repeatable=True, answer="ScheduleDetail"
    ),
    "timezones.list": Route("GET", "/api/v1/timezones", "schedules:read", answer="TimeZones"),
    "envvars.list": Route("GET", "/api/v1/envvars", "envvars:read", answer="list[Variable]"),
    "envvars.create": Route("POST", "/api/v1/envvars", "envvars:write", answer="SavedVariable"),
    "envvars.import": Route(
        "POST", "/api/v1/envvars/import", "envvars:write", repeatable=True, answer="VariableImport"
    ),
    "envvars.retrieve": Route("GET", "/api/v1/envvars/{name}", "envvars:read", answer="Variable"),
    "envvars.update": Route("PUT", "/api/v1/envvars/{name}", "envvars:write", repeatable=True, answer="SavedVariable"),
    "envvars.delete": Route("DELETE", "/api/v1/envvars/{name}", "envvars:write", answer="RemovedVariable"),
    "tokens.list": Route("GET", "/api/v1/waitpoints/tokens", "tokens:read", answer="TokenPage"),
    "tokens.retrieve": Route(
        "GET", "/api/v1/waitpoints/tokens/{id}", "tokens:read", answer="TokenDetail", public_token=True
    ),
    "tokens.create": Route("POST", "/api/v1/waitpoints/tokens", "tokens:write", repeatable=True, answer="TokenDetail"),
    "tokens.complete": Route(
        "POST",
        "/api/v1/waitpoints/tokens/{id}/complete",
        "tokens:write",
        repeatable=True,
        body_bytes=OUTPUT_BYTES + 512 * 1024,
        answer="TokenDetail",
        public_token=True,
    ),
    "alerts.list": Route("GET", "/api/v1/alerts", "alerts:read", answer="list[AlertView]"),
    "alerts.create": Route("POST", "/api/v1/alerts", "alerts:write", answer="AlertMade"),
    "alerts.retrieve": Route("GET", "/api/v1/alerts/{id}", "alerts:read", answer="AlertView"),
    "alerts.update": Route("PATCH", "/api/v1/alerts/{id}", "alerts:write", answer="AlertMade"),
    "alerts.delete": Route("DELETE", "/api/v1/alerts/{id}", "alerts:write", answer="AlertView"),
    "alerts.test": Route("POST", "/api/v1/alerts/{id}/test", "alerts:write", answer="DeliveryDetail"),
    "alerts.rotate_secret": Route("POST", "/api/v1/alerts/{id}/rotate-secret", "alerts:write", answer="AlertMade"),
    "alerts.deliveries": Route("GET", "/api/v1/alert-deliveries", "alerts:read", answer="DeliveryPage"),
    "alerts.delivery": Route("GET", "/api/v1/alert-deliveries/{id}", "alerts:read", answer="DeliveryDetail"),
    "alerts.replay": Route("POST", "/api/v1/alert-deliveries/{id}/replay", "alerts:write", answer="DeliveryDetail"),
    "errors.list": Route("GET", "/api/v1/errors", "errors:read", answer="ErrorPage"),
    "errors.retrieve": Route("GET", "/api/v1/errors/{id}", "errors:read", answer="ErrorDetail"),
    "errors.resolve": Route(
        "POST", "/api/v1/errors/{id}/resolve", "errors:write", repeatable=True, answer="ErrorDetail"
    ),
    "errors.ignore": Route("POST", "/api/v1/errors/{id}/ignore", "errors:write", answer="ErrorDetail"),
    "errors.unresolve": Route(
        "POST", "/api/v1/errors/{id}/unresolve", "errors:write", repeatable=True, answer="ErrorDetail"
    ),
    "realtime.run": Route("GET", "/realtime/v1/runs/{id}", "runs:read", answer="events", public_token=True),
    "realtime.runs": Route("GET", "/realtime/v1/runs", "runs:read", answer="events", public_token=True),
    "realtime.batch": Route("GET", "/realtime/v1/batches/{id}", "batches:read", answer="events", public_token=True),
    "realtime.stream": Route(
        "GET", "/realtime/v1/streams/{run}/{stream}", "streams:read", answer="events", public_token=True
    ),
    "streams.list": Route(
        "GET", "/realtime/v1/streams/{run}", "streams:read", answer="list[StreamInfo]", public_token=True
    ),
    "streams.send_input": Route(
        "POST",
        "/realtime/v1/streams/{run}/input/{stream}",
        "streams:write",
        repeatable=True,
        body_bytes=INPUT_BYTES + 64 * 1024,
        answer="InputSent",
        public_token=True,
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


class BatchMade(Struct, omit_defaults=True):
    """Answer to a batch: its id, the runs in the order of the items, and a public token for the batch."""

    id: str | None
    runs: list[Handle]
    public_access_token: str | None = None
