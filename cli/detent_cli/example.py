"""An example value for a JSON schema, to be edited by people."""

from __future__ import annotations

from typing import Any

__all__ = ["example_of"]

_DEEPEST = 6
_PLAIN: dict[str, Any] = {"string": "…", "integer": 1, "number": 1.0, "boolean": True, "null": None}
_TEXTS = {
    "date": "2026-11-22",
    "date-time": "2026-11-22T09:00:00Z",
    "email": "ada@example.com",
    "uri": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def example_of(schema: dict[str, Any] | None) -> Any:
    """A value of the form that `schema` describes: required fields, and the simplest choice. None when
    nothing is asked for."""
    if not schema:
        return None
    return _example(schema, schema.get("$defs", {}), 0)


def _example(schema: dict[str, Any], definitions: dict[str, Any], depth: int) -> Any:
    if depth > _DEEPEST:
        return None
    if "$ref" in schema:
        return _example(definitions.get(schema["$ref"].rpartition("/")[2], {}), definitions, depth + 1)
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _example(schema[key][0], definitions, depth + 1)
    kind = schema.get("type")
    if kind == "object":
        fields = schema.get("properties", {})
        wanted = schema.get("required") or list(fields)[:1]
        return {name: _example(fields.get(name, {}), definitions, depth + 1) for name in wanted}
    if kind == "array":
        return [_example(schema["items"], definitions, depth + 1)] if schema.get("items") else []
    if kind == "string":
        return _TEXTS.get(schema.get("format", ""), "…")
    return _PLAIN.get(kind or "")
