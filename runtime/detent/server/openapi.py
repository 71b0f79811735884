"""The OpenAPI 3.1 document of the HTTP API, made of its routes, the operations' annotations and the views."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .. import model
from ..model.http_api import ROUTES, TOKEN_CALLBACK, TOLD_ONCE, TRIGGER_BATCH, TRIGGER_TASK, Route
from ..model.limits import BATCH_ITEMS, IDEMPOTENCY_KEY_CHARS
from ..model.views import View
from .parameters import Parameters, Taken
from .problems import PROBLEMS
from .trigger_schemas import BATCH_BODY, TRIGGER_BODY

__all__ = ["openapi_document", "views_by_name"]

Schema = dict[str, Any]

_REF = "#/components/schemas/{model}"
_MEDIA = {"text": "text/plain", "events": "text/event-stream"}
_PLACE = re.compile(r"\{(\w+)\}")
_ABOUT = (
    "Durable background runs. Send `Authorization: Bearer KEY` with a key of one environment: everything that is read "
    "or written is that environment's alone. Errors are problem documents (RFC 9457) with a stable `code`."
)
#: What has a route, and a body, of its own making.
_BY_HAND: tuple[tuple[str, Route, Schema, str], ...] = (
    (
        "tasks.trigger",
        Route("POST", TRIGGER_TASK, "tasks:write", answer="TriggeredRun", status=202),
        TRIGGER_BODY,
        "Start a run. It is durable when the answer comes.",
    ),
    (
        "tasks.batch_trigger",
        Route("POST", TRIGGER_BATCH, "tasks:write", answer="TriggeredBatch", status=202),
        BATCH_BODY,
        f"Start 1 to {BATCH_ITEMS:,} runs, all or none; also as lines of JSON (application/x-ndjson).",
    ),
    (
        "tokens.callback",
        Route("POST", TOKEN_CALLBACK, "public", answer="Success"),
        {},
        "Complete a token with the body, without a key: the address is the right to do so.",
    ),
)


def openapi_document(methods: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """The document.

    Parameters:
      methods: the operations by name; each has a route in `ROUTES`.

    Errors: `LookupError` for a route that does not say what it answers with.
    """
    answers = _Answers()
    paths: dict[str, dict[str, Any]] = {}
    for operation, route in ROUTES.items():
        method = methods[operation]
        about = _operation(operation, route, inspect.getdoc(method) or "", list(Parameters(method)))
        about["responses"] = answers.of(operation, route)
        paths.setdefault(route.path, {})[route.method.lower()] = about
    for operation, route, body, said in _BY_HAND:
        about = _operation(operation, route, said, [])
        about["requestBody"] = {"required": False, "content": {"application/json": {"schema": body}}}
        about["responses"] = answers.of(operation, route)
        paths.setdefault(route.path, {})[route.method.lower()] = about
    return {
        "openapi": "3.1.0",
        "info": {"title": "detent", "version": _version(), "description": _ABOUT},
        "paths": dict(sorted(paths.items())),
        "tags": [{"name": name} for name in sorted({operation.partition(".")[0] for operation in ROUTES})],
        "components": {
            "schemas": answers.schemas() | {"Problem": _PROBLEM, "Success": _SUCCESS},
            "responses": {str(status): _refusal(status, codes) for status, codes in PROBLEMS.items()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A key of an environment (dt_…)."}
            },
        },
    }


def views_by_name() -> dict[str, type[View]]:
    """The views of `detent.model`, which answers are made of."""
    found: dict[str, type[View]] = {}
    for module in pkgutil.iter_modules(model.__path__):
        if module.name.endswith("views"):
            contents = vars(import_module(f"{model.__name__}.{module.name}"))
            found |= {name: view for name, view in contents.items() if inspect.isclass(view) and issubclass(view, View)}
    return found


def _operation(operation: str, route: Route, text: str, taken: list[Taken]) -> dict[str, Any]:
    summary, _, rest = text.partition("\n\n")
    about: dict[str, Any] = {
        "operationId": operation,
        "summary": " ".join(summary.split()),
        "tags": [operation.partition(".")[0]],
        "x-scope": route.scope,
        "security": [] if route.scope == "public" else [{"bearer": [route.scope]}],
    }
    if rest:
        about["description"] = inspect.cleandoc(rest)
    in_path = _PLACE.findall(route.path)
    others = [parameter for parameter in taken if parameter.name not in in_path]
    places = [{"name": name, "in": "path", "required": True, "schema": _IN_PATH} for name in in_path]
    if route.method == "GET":
        places += [{"name": one.name, "in": "query", "required": one.required, "schema": one.schema} for one in others]
    elif others:
        about["requestBody"] = _body(others)
    if route.method == "POST" and route.scope != "public" and not operation.startswith(TOLD_ONCE):
        places.append(_IDEMPOTENCY_KEY)
    if places:
        about["parameters"] = places
    return about


def _body(parameters: list[Taken]) -> dict[str, Any]:
    required = [parameter.name for parameter in parameters if parameter.required]
    schema: Schema = {
        "type": "object",
        "properties": {parameter.name: parameter.schema for parameter in parameters},
        "additionalProperties": False,
    }
    if required:
        schema["required"] = required
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


class _Answers:
    """What routes answer with, and the views that this takes."""

    def __init__(self) -> None:
        self._views = views_by_name()
        self._named: set[str] = set()

    def of(self, operation: str, route: Route) -> dict[str, Any]:
        """The responses of a route."""
        media = _MEDIA.get(route.answer, "application/json")
        good = {"description": "Done.", "content": {media: {"schema": self._schema(operation, route.answer)}}}
        refusals = {str(status): {"$ref": f"#/components/responses/{status}"} for status in _refusals(route)}
        return {str(route.status): good} | refusals

    def schemas(self) -> dict[str, Any]:
        """The views that were named, and what they are made of."""
        from pydantic.json_schema import models_json_schema

        wanted: list[Any] = [(self._views[name], "validation") for name in sorted(self._named)]
        _, schema = models_json_schema(wanted, ref_template=_REF)
        return dict(schema.get("$defs", {}))

    def _schema(self, operation: str, answer: str) -> Schema:
        if answer == "any":
            return {}
        if answer in _MEDIA:
            return {"type": "string"}
        if answer == "Success":
            return {"$ref": _REF.format(model=answer)}
        item = re.fullmatch(r"list\[(\w+)\]", answer)
        name = item[1] if item else answer
        if name not in self._views:
            raise LookupError(
                f"the route of {operation} answers with {answer!r}; expected the name of a view in "
                'detent.model.*views, "list[VIEW]", "any", "text" or "events"'
            )
        self._named.add(name)
        reference = {"$ref": _REF.format(model=name)}
        if item is None:
            return reference
        items = {"type": "array", "items": reference}
        return {"type": "object", "properties": {"items": items}, "required": ["items"]}


def _refusals(route: Route) -> list[int]:
    # Any request may name a project or an environment, in a header, that is not there.
    statuses = {400, 403, 404, 414, 429, 431, 503}
    if route.scope != "public":
        statuses.add(401)
    if route.method != "GET":
        statuses |= {408, 409, 413, 422}
    return sorted(statuses)


def _refusal(status: int, codes: str) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": codes,
        "content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}},
    }
    if status in (429, 503):
        seconds = {"description": "Seconds to wait before the next try.", "schema": {"type": "string"}}
        answer["headers"] = {"Retry-After": seconds}
    return answer


def _version() -> str:
    try:
        return version("detent")
    except PackageNotFoundError:
        return "unknown"


_IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request under the same key is done once. A triggered run takes it as its own.",
    "schema": {"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_CHARS},
}
_IN_PATH: Schema = {"type": "string", "minLength": 1}
_SUCCESS: Schema = {"type": "object", "properties": {"success": {"const": True}}, "required": ["success"]}
_PROBLEM: Schema = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457). Compare `code`; `detail` is a sentence for people.",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
    },
    "required": ["type", "title", "status", "code", "detail"],
}
