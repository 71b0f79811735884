"""What an operation takes, as its annotations say: read from requests, and described for people and programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from inspect import Parameter, signature
from typing import Any, NamedTuple, get_type_hints

import msgspec
from starlette.datastructures import ImmutableMultiDict

from ..errors import InvalidOptions, near_names

__all__ = ["Parameters", "Taken"]

Schema = dict[str, Any]


class Taken(NamedTuple):
    """One parameter: its type, and how JSON Schema says it (without null, which is to leave it out)."""

    name: str
    type: Any
    schema: Schema
    required: bool

    @property
    def is_several(self) -> bool:
        """Whether a query may give it several times."""
        kinds = [part.get("type") for part in _parts(self.schema)]
        return any(kind == "array" or (isinstance(kind, list) and "array" in kind) for kind in kinds)


class Parameters:
    """The parameters of one operation.

    Parameters:
      method: the operation; its annotations may carry limits, as ``Annotated[int, msgspec.Meta(ge=1, le=100)]``.
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        function = getattr(method, "__func__", method)
        self._taken = _all_taken(function, is_bound=function is not method)

    def __iter__(self) -> Iterator[Taken]:
        return iter(self._taken.values())

    def of_query(self, query: ImmutableMultiDict[str, str]) -> dict[str, Any]:
        """The values of a query, as their types. Errors: `InvalidOptions`."""
        values: dict[str, Any] = {}
        for name in query.keys():  # noqa: SIM118  # a multi-dict
            taken = self._taken.get(name)
            if taken is None:
                values[name] = query[name]  # the operation says what it takes
                continue
            given: Any = query.getlist(name) if taken.is_several else query[name]
            values[name] = _converted(taken, given, strict=False)
        return values

    def of_body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a body, checked. Errors: `InvalidOptions`."""
        return {
            name: value if (taken := self._taken.get(name)) is None else _converted(taken, value, strict=True)
            for name, value in body.items()
        }

    def check_required(self, values: Mapping[str, Any]) -> None:
        """Errors: `InvalidOptions` for one that is missing."""
        for taken in self:
            if taken.required and taken.name not in values:
                raise InvalidOptions(f"{taken.name} is missing; expected {_words(taken.schema)}")


@lru_cache(1_000)
def _all_taken(function: Callable[..., Any], is_bound: bool) -> dict[str, Taken]:
    """Kept, since the operations of another environment, or of another server in this process, take the same."""
    hints = get_type_hints(function, include_extras=True)
    return {
        name: _taken(name, hints.get(name, Any), parameter.default is Parameter.empty)
        for name, parameter in list(signature(function).parameters.items())[is_bound:]
    }


def _taken(name: str, type: Any, required: bool) -> Taken:
    try:
        schema = _schema_of(type)
        msgspec.convert(None, type | None if type is not Any else Any)
    except (TypeError, msgspec.ValidationError):
        # A shape that only the operation itself can check.
        return Taken(name, Any, {}, required)
    return Taken(name, type, schema, required)


def _schema_of(type: Any) -> Schema:
    schemas, components = msgspec.json.schema_components([type], ref_template="#/components/schemas/{name}")
    schema = _inlined(schemas[0], components)
    parts = [part for part in _parts(schema) if part.get("type") != "null"]
    return parts[0] if len(parts) == 1 else {"anyOf": parts}


def _inlined(schema: Any, components: Mapping[str, Any]) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(components[schema["$ref"].rpartition("/")[2]], components)
        return {name: _inlined(part, components) for name, part in schema.items() if name not in ("title", "default")}
    return [_inlined(part, components) for part in schema] if isinstance(schema, list) else schema


def _parts(schema: Schema) -> list[Schema]:
    parts: list[Schema] = schema.get("anyOf", [schema])
    return parts


def _converted(taken: Taken, value: Any, *, strict: bool) -> Any:
    try:
        return msgspec.convert(value, taken.type, strict=strict)
    except msgspec.ValidationError as error:
        choices = taken.schema.get("enum") or taken.schema.get("items", {}).get("enum")
        if choices is not None:
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, str) and one not in choices:
                    raise InvalidOptions(near_names(taken.name, one, choices)) from None
        place = str(error).rpartition(" - at `$")[2].rstrip("`") if " - at `$" in str(error) else ""
        if place:
            raise InvalidOptions(f"{taken.name}{place}: {str(error).partition(' - at ')[0]}") from None
        raise InvalidOptions(f"{taken.name} must be {_words(taken.schema)}, got {_shown(value)}") from None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"


def _words(schema: Schema) -> str:
    """A schema in words: ``a whole number from 1 to 100``."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_words(part) for part in schema["anyOf"]))
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    told = schema.get("type", "")
    kind = _KINDS.get(told, "a JSON value") if isinstance(told, str) else "one of its types"
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"{kind} from {least} to {most}"
    if least is not None:
        return f"{kind} of at least {least}"
    shortest, longest = schema.get("minLength"), schema.get("maxLength")
    if longest is not None:
        return f"{kind} of {shortest or 0} to {longest} characters"
    return kind


_KINDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "an object",
    "string": "a text",
}
