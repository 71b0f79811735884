"""Arguments of tools: from the signature of a function to a small JSON schema, and from JSON to values.

A parameter's annotation is its type; a text in `Annotated` describes it. Only what a model needs goes into the schema.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from .refusals import Refusal

__all__ = ["Argument", "arguments_of", "read_arguments", "schema_of"]

_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "an object"}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool. `kind` is its type without None."""

    name: str
    kind: Any
    about: str = ""
    required: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """Its JSON schema."""
        found = _schema(self.kind)
        return {**found, "description": self.about} if self.about else found


def arguments_of(function: Callable[..., Any]) -> tuple[Argument, ...]:
    """The keyword-only parameters of `function`."""
    hints = get_type_hints(function, include_extras=True)
    found = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        kind, about = hints[name], ""
        if get_origin(kind) is Annotated:
            kind, about = get_args(kind)[:2]
        required = parameter.default is inspect.Parameter.empty
        found.append(Argument(name, _without_none(kind), about, required))
    return tuple(found)


def schema_of(arguments: tuple[Argument, ...]) -> dict[str, Any]:
    """The JSON schema of a tool's arguments."""
    schema: dict[str, Any] = {"type": "object", "properties": {each.name: each.schema for each in arguments}}
    required = [each.name for each in arguments if each.required]
    return schema | {"required": required} if required else schema


def read_arguments(tool: str, arguments: tuple[Argument, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values that `given` stands for; null counts as not given. Errors: `Refusal`."""
    known = {each.name: each for each in arguments}
    for name in given:
        if name not in known:
            raise _unknown(tool, name, list(known))
    values = {}
    for name, argument in known.items():
        value = given.get(name)
        if value is None and argument.kind is not Any:
            if argument.required:
                raise Refusal(
                    f"{tool} needs {name}: {argument.about or _expected(argument.kind)}; it was not given",
                    code="invalid_arguments",
                )
            continue
        if name in given:
            values[name] = _converted(tool, argument, value)
        elif argument.required:
            raise Refusal(f"{tool} needs {name}; it was not given", code="invalid_arguments")
    return values


def _unknown(tool: str, name: str, known: list[str]) -> Refusal:
    import difflib

    near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    taken = ", ".join(known) or "nothing"
    return Refusal(
        f"{tool} has no argument {name!r}; {hint}it takes: {taken}. Nothing was done.", code="invalid_arguments"
    )


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        parts = [part for part in get_args(kind) if part is not NoneType]
        return parts[0] if len(parts) == 1 else Union[tuple(parts)]  # noqa: UP007  # made from values
    return kind


def _schema(kind: Any) -> dict[str, Any]:
    origin = get_origin(kind)
    if kind is Any:
        return {}
    if origin is Literal:
        return {"type": "string", "enum": list(get_args(kind))}
    if origin is list:
        return {"type": "array", "items": _schema(get_args(kind)[0])}
    if origin is dict or kind is dict:
        return {"type": "object"}
    if origin in (Union, UnionType):
        return {"anyOf": [_schema(part) for part in get_args(kind)]}
    return {"type": _NAMES[kind]}


def _converted(tool: str, argument: Argument, value: Any) -> Any:
    kind = argument.kind
    if get_origin(kind) is list and isinstance(value, str):
        # Models write one value where a list of one is meant, or the list as JSON text.
        value = _parsed(value) if value.lstrip().startswith("[") else [value]
    if (get_origin(kind) is dict or kind is dict) and isinstance(value, str):
        value = _parsed(value)
    if kind is str and isinstance(value, list) and len(value) == 1:
        value = value[0]
    if kind in (int, float) and isinstance(value, bool):
        raise _wrong(tool, argument, value)
    try:
        return msgspec.convert(value, kind, strict=kind not in (int, float, bool))
    except msgspec.ValidationError:
        raise _wrong(tool, argument, value) from None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _wrong(tool: str, argument: Argument, value: Any) -> Refusal:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    shown = shown if len(shown) <= 80 else f"{shown[:80]}…"
    return Refusal(
        f"{argument.name} of {tool} must be {_expected(argument.kind)}, got {shown}. Nothing was done.",
        code="invalid_arguments",
    )


def _expected(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    if origin is list:
        return f"a list of {_expected(get_args(kind)[0])}"
    if origin is dict:
        return "an object"
    if origin in (Union, UnionType):
        return " or ".join(_expected(part) for part in get_args(kind))
    return _WORDS.get(kind, "a value")
