"""A payload that fits a JSON schema, to be filled in by whoever triggers the task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["example_payload"]

#: Schemas within schemas that are followed; optional fields that are shown where none is required.
_DEEPEST, _OPTIONAL = 8, 6
_FORMATS = {
    "date": "2026-11-22",
    "date-time": "2026-11-22T09:00:00Z",
    "time": "09:00:00Z",
    "duration": "PT10M",
    "email": "ada@example.com",
    "uri": "https://example.com",
    "url": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.com",
    "binary": "",
    "byte": "",
}
_TEXT = "text"
_ALONE = ("const", "default", "examples", "example", "enum")


def example_payload(schema: Mapping[str, Any] | None) -> Any:
    """A value that fits `schema`: examples and defaults that it names, else the simplest one. Fields that may be left
    out are left out, unless all may be. None without a schema."""
    try:
        return None if schema is None else _Maker(schema).value(schema, 0)
    except (TypeError, ValueError, AttributeError, KeyError):  # what is given as a schema may be anything
        return None


class _Maker:
    """Makes values of one schema, which references in it are about."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def value(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return None
        schema = self._resolved(schema, depth)
        if any(name in schema for name in _ALONE):
            return _named(schema)
        for name in ("anyOf", "oneOf"):
            if schema.get(name):
                rest = {key: part for key, part in schema.items() if key != name}
                return self.value(rest | dict(self._first(schema[name], depth)), depth + 1)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((each for each in kind if each != "null"), "null")
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema, depth)
        if kind == "array" or (kind is None and ("items" in schema or "prefixItems" in schema)):
            return self._array(schema, depth)
        if kind in {"integer", "number"}:
            return _number(schema, is_whole=kind == "integer")
        if kind == "boolean":
            return False
        if kind == "string" or (kind is None and ("format" in schema or "minLength" in schema)):
            return _string(schema)
        return None

    def _resolved(self, schema: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
        """The schema with what it refers to and what all of it must fit, in one."""
        if "$ref" in schema:
            target = self._target(str(schema["$ref"]))
            rest = {key: part for key, part in schema.items() if key != "$ref"}
            return self._resolved({**target, **rest}, depth + 1) if depth <= _DEEPEST else {}
        if schema.get("allOf"):
            merged: dict[str, Any] = {key: part for key, part in schema.items() if key != "allOf"}
            for part in schema["allOf"]:
                if isinstance(part, Mapping):
                    merged = _merged(merged, self._resolved(part, depth + 1))
            return merged
        return schema

    def _target(self, reference: str) -> Mapping[str, Any]:
        found: Any = self._root
        for name in reference.removeprefix("#").strip("/").split("/"):
            if name:
                key = name.replace("~1", "/").replace("~0", "~")
                found = found.get(key) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    def _first(self, choices: Any, depth: int) -> Mapping[str, Any]:
        resolved = [self._resolved(each, depth + 1) for each in choices if isinstance(each, Mapping)]
        return next((each for each in resolved if each.get("type") != "null"), {})

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        named = schema.get("properties")
        properties: Mapping[str, Any] = named if isinstance(named, Mapping) else {}
        required = [name for name in schema.get("required") or () if name in properties]
        names = required or list(properties)[:_OPTIONAL]
        made = {name: self.value(properties[name], depth + 1) for name in names}
        for place in range(int(schema.get("minProperties") or 0) - len(made)):
            more = schema.get("additionalProperties")
            made[f"key{place + 1}"] = self.value(more, depth + 1) if isinstance(more, Mapping) else None
        return made

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        made = [self.value(part, depth + 1) for part in schema.get("prefixItems") or ()]
        items = schema.get("items")
        if isinstance(items, Mapping):
            most = schema.get("maxItems")
            wanted = max(int(schema.get("minItems") or 0), 1)
            wanted = min(wanted, int(most)) if most is not None else wanted
            made += [self.value(items, depth + 1) for _ in range(wanted - len(made))]
        return made


def _named(schema: Mapping[str, Any]) -> Any:
    if "const" in schema:
        return schema["const"]
    if schema.get("examples"):
        examples = schema["examples"]
        return examples[0] if isinstance(examples, list) else examples
    if "example" in schema:
        return schema["example"]
    if "default" in schema:
        return schema["default"]
    return next(iter(schema.get("enum") or ()), None)


def _merged(one: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = {**one, **other}
    for name in ("properties", "$defs"):
        if isinstance(one.get(name), Mapping) and isinstance(other.get(name), Mapping):
            both[name] = {**one[name], **other[name]}
    if "required" in one and "required" in other:
        both["required"] = [*one["required"], *other["required"]]
    return both


def _number(schema: Mapping[str, Any], *, is_whole: bool) -> int | float:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    step = schema.get("multipleOf") or (1 if is_whole else None)
    wanted: float = 1
    if low is not None:
        wanted = max(wanted, low)
    if above is not None and wanted <= above:
        wanted = above + (step or 1)
    if high is not None:
        wanted = min(wanted, high)
    if below is not None and wanted >= below:
        floor = above if above is not None else low
        wanted = (floor + below) / 2 if floor is not None and not is_whole else below - (step or 1)
    if step:
        wanted = (
            -(-wanted // step) * step if high is None or -(-wanted // step) * step <= high else wanted // step * step
        )
    return int(wanted) if is_whole else wanted


def _string(schema: Mapping[str, Any]) -> str:
    text = _FORMATS.get(str(schema.get("format")), _TEXT)
    least, most = schema.get("minLength"), schema.get("maxLength")
    if least is not None and len(text) < least:
        text += "x" * (int(least) - len(text))
    return text[: int(most)] if most is not None else text
